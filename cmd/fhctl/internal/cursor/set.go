package cursor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/cursor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

const cursorSetLong = `Move the cursor, so that "fhctl ingest" goes on from another place. First it
shows where the cursor is, where it would be, and what that repeats or skips;
then it asks. Without a terminal nobody can answer: say --yes, or --dry-run.

VALUE is one of
  SEQ       the seq of the last event that shall count as stored
  oldest    all that the relay still holds
  newest    the last stored event
  live      no cursor: the next ingest starts with what happens then
  -10m      ten minutes ago, likewise -2h30m and -3d
  TIME      as in 2026-01-02T03:04:05Z, or local: 2026-01-02 03:04, 03:04, a date
  ID        the id of an entry in the stream, as 1767225600000-0
A time is answered from the events in the stream: the cursor becomes the seq of
the last one that Redis had stored by then.

Stop the writer first. While its heartbeat is fresh (a killed one, and the Python
bridge, leave it for 10 s) nothing is changed, unless --force says so: a running
ingest then notices the move and goes on from the new place. "live" cannot be
forced on it: it would restore its cursor, so stop it, or start it again with
--from live. An ingest that is held waits for its cursor to be moved: it needs
neither to be stopped nor --force.

A seq means nothing on another relay. The cursor stays with the relay it
belongs to; --relay gives it to another, as after the Python bridge, whose
cursor is bsky.network's whatever its settings said.

Exit codes: 6 where VALUE cannot be found or the cursor is another relay's, 7
where a writer is running, --if-value does not hold, or the cursor moved
meanwhile.`

// cursorSet is the options of one cursor set.
type cursorSet struct {
	*shell.Env
	cfg     *config.Config
	fromKey string
	// fromPartitions is the former number of partitions; 0 leaves it.
	fromPartitions int

	undo    bool
	ifValue string
	relay   string
	yes     bool
	force   bool
	dryRun  bool
	format  *shell.Format

	place place.Place
	now   time.Time
}

func newCursorSetCommand(a *shell.Env) *cobra.Command {
	o := &cursorSet{}
	cmd := &cobra.Command{
		Use: "set VALUE", Short: "Move the saved position",
		Long: cursorSetLong, Args: shell.AtMost(1),
		Example: `  # What would going back ten minutes repeat?
  fhctl cursor set -10m --dry-run

  # Continue behind a seq, in a script; only if the cursor is where you saw it
  fhctl cursor set 7000000123 --if-value 7000009999 --yes

  # Take over what the Python bridge left, for the relay it really read
  fhctl cursor set --from-key firehose:python_cursor --cursor-key '{firehose:events}:cursor'

  # From one stream to four partitions, all writers stopped (docs/scaling.md)
  fhctl cursor set --partitions 4 --from-partitions 1

  # That was wrong
  fhctl cursor set --undo`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []cobra.Completion{
				cobra.CompletionWithDesc("oldest", "all that the relay still holds"),
				cobra.CompletionWithDesc("newest", "the last stored event"),
				cobra.CompletionWithDesc("10m", "the last event stored by ten minutes ago"),
				cobra.CompletionWithDesc("yesterday", "the last event stored before yesterday"),
				cobra.CompletionWithDesc("live", "no cursor: start with what happens then"),
			}, cobra.ShellCompDirectiveNoFileComp
		},
	}
	o.format = shell.AddFormat(cmd)
	f := cmd.Flags()
	f.StringVar(&o.fromKey, "from-key", "", "take the value of another cursor `KEY`, with the relay it belongs to, instead of VALUE")
	f.IntVar(&o.fromPartitions, "from-partitions", 0, "take over the cursor of the same keys with another number of partitions, `N`, instead of VALUE: all its cursors must be equal")
	f.BoolVar(&o.undo, "undo", false, "take back the newest change in the history, instead of VALUE; repeat it to go further back")
	f.StringVar(&o.ifValue, "if-value", "", "change nothing unless the cursor is this `SEQ` now; none means no cursor")
	f.StringVar(&o.relay, "relay", "", "`HOST` of the relay whose seq VALUE is: the cursor becomes that relay's")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&o.force, "force", false, "change it although a writer is running")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would change, and change nothing")
	shell.Positive(f, "from-partitions")
	shell.AddSettings(cmd, config.GroupRelay, config.GroupRedis)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, args []string) error {
		o.Env, o.cfg, o.now = env, cfg, time.Now()
		if err := o.understand(args); err != nil {
			return err
		}
		r, err := settings.OpenReaderOf(ctx, env.Log, cfg, cfg.Redis.Partitions, o.fromPartitions > 0)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		if o.fromPartitions == 0 {
			return o.run(ctx, r, nil)
		}
		former, err := settings.OpenReaderOf(ctx, env.Log, cfg, o.fromPartitions, false)
		if err != nil {
			return err
		}
		defer func() { _ = former.Close() }()
		return o.run(ctx, r, former)
	})
	return cmd
}

// understand checks what was typed, before anything is connected.
func (o *cursorSet) understand(args []string) (err error) {
	ways := len(args)
	for _, given := range []bool{o.fromKey != "", o.fromPartitions != 0, o.undo} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return shell.UsageError(errors.New("where to? VALUE is missing"), place.Hint)
	case ways > 1:
		return shell.UsageError(errors.New("VALUE, --from-key, --from-partitions and --undo exclude one another"), "give one of them")
	case o.fromPartitions > keyspace.MostPartitions || o.fromPartitions == o.cfg.Redis.Partitions:
		return shell.UsageError(fmt.Errorf("flag --from-partitions: %d is not another number of partitions than --partitions %d", o.fromPartitions, o.cfg.Redis.Partitions), "write how many there were; 1 is a stream without partitions")
	case o.undo && o.relay != "":
		return shell.UsageError(errors.New("--undo gives the cursor back to the relay it was of, so --relay has no place"), "leave --relay out")
	case len(args) == 1:
		if o.place, err = parseCursorPlace(args[0], o.now); err != nil {
			return err
		}
	}
	if _, ok := o.expected(); !ok {
		return shell.UsageError(fmt.Errorf("flag --if-value: %q is not a seq", o.ifValue), "write the seq that fhctl cursor get printed, or none")
	}
	if o.place.Kind == place.Live && o.relay != "" {
		return shell.UsageError(errors.New("live leaves no cursor that could be a relay's, so --relay has no place"), "leave --relay out")
	}
	if o.relay != "" {
		if _, err := endpoint.RelayIdentity(o.relay); err != nil {
			return fmt.Errorf("flag --relay: %w", err)
		}
	}
	if !o.yes && !o.dryRun && !o.canAsk() {
		return shell.UsageError(errors.New("nobody can be asked: standard input is not a terminal"), "add --yes to do it, or --dry-run to see what it would do")
	}
	return o.format.Check()
}

// expected is --if-value as the key would hold it.
func (o *cursorSet) expected() (seq event.Seq, ok bool) {
	if o.ifValue == "" || o.ifValue == "none" {
		return 0, true
	}
	return event.ParseSeq(o.ifValue)
}

func (o *cursorSet) canAsk() bool {
	in, ok := o.In.(*os.File)
	return ok && term.IsTerminal(int(in.Fd()))
}

// options is what was typed, for the library. The relay identity that settings name is
// not asked for where nothing depends on it.
func (o *cursorSet) options(former *reader.Reader) (cursor.Options, error) {
	keep, err := settings.FilterOf(o.cfg)
	if err != nil {
		return cursor.Options{}, err
	}
	options := cursor.Options{
		Place: o.place, FromKey: o.fromKey, Former: former, Undo: o.undo,
		Chosen: o.cfg.Origin("relay-url").Layer != config.LayerDefault, Filter: keep.Fingerprint(),
		IfValue: o.ifValue, Force: o.force, DryRun: o.dryRun, Asked: o.asked(), By: operator(), Now: o.now,
	}
	if o.relay != "" {
		options.Relay, err = endpoint.RelayIdentity(o.relay)
		return options, err
	}
	if options.Configured, err = endpoint.RelayIdentity(o.cfg.Relay.URL); err != nil && !o.undo {
		return options, o.cfg.Refuse("relay-url", err)
	}
	return options, nil
}

// asked is the command as the history keeps it.
func (o *cursorSet) asked() string {
	asked := o.place.Text
	switch {
	case o.fromPartitions > 0:
		asked = fmt.Sprintf("--from-partitions %d", o.fromPartitions)
	case o.undo:
		asked = "--undo"
	case o.fromKey != "":
		asked = "--from-key " + o.fromKey
	}
	if o.relay != "" {
		asked += " --relay " + o.relay
	}
	return asked
}

func (o *cursorSet) run(ctx context.Context, r, former *reader.Reader) error {
	options, err := o.options(former)
	if err != nil {
		return err
	}
	p, err := cursor.MakePlan(ctx, r, options)
	if err != nil {
		return err
	}
	if o.dryRun || p.Noop() {
		return o.show(p, o.Out)
	}
	if !o.yes {
		if err := o.ask(ctx, p); err != nil {
			return err
		}
	}
	if err := p.Apply(ctx, r); err != nil {
		return err
	}
	if o.format.Name == "text" && !o.yes {
		_, err := fmt.Fprintln(o.Out, done(p))
		return err
	}
	return o.show(p, o.Out)
}

// ask shows the plan and waits for an answer, or for ctx to end. What is read
// after that goes nowhere, as the process ends.
func (o *cursorSet) ask(ctx context.Context, p *cursor.Plan) error {
	if err := writePlan(o.Err, p); err != nil {
		return err
	}
	fmt.Fprint(o.Err, "Move the cursor? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(o.In).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(o.Err)
		return ctx.Err()
	case word := <-answer:
		if word == "y" || word == "yes" {
			return nil
		}
		return fault.New(fault.Interrupted, errors.New("not confirmed; nothing was changed"), "")
	}
}

// operator is who is asking, for the history.
func operator() string {
	host, _ := os.Hostname()
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return name + "@" + host
}
