// Package tail is the command "tail": it shows events of a stream or a relay as they come.
package tail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
)

const tailLong = `Show what is in the stream, or what a relay sends, and change nothing: no
consumer group is joined, no key is written.

Without flags it prints the whole stream, oldest first, up to what was the end
when it started. -n 20 prints the last 20 entries only; -f goes on with what is
added, after the last 10 unless -n or --since says otherwise. Entries are
counted by -n before filters, events by --limit and --expect behind them.

--source relay reads the relay itself, live unless --since says otherwise, and
goes on until --limit, -e or Ctrl-C. It shows kinds that are never stored, such
as sync. What cannot be decoded is told on standard error. An event behind an
unusual gap in the numbers is shown when the next one follows, or when another
connection shows it as well, within seconds: one frame may hold a false number.

On a terminal an event is one line, cut to its width; elsewhere it is one line
of JSON, which docs/json.md describes. -o chooses. Times on a terminal are
local; JSON has UTC.

Filters are combined with "and", values of one filter with "or". --collection
and --action want commits: a commit is shown when one of its ops matches both,
and --grep. With --ops each matching op is a line; events without ops are left
out.

--expect N makes it a smoke check: exit code 0 as soon as N matching events were
seen, 124 when --within passed first. It counts new events only, unless -n or
--since adds stored ones.`

const tailExample = `  # What happens now, after the last 10 entries
  fhctl tail -f

  # The last five minutes of posts and likes
  fhctl tail --since 5m --collection app.bsky.feed.post --collection app.bsky.feed.like

  # Around a seq that an error named
  fhctl tail --since seq:7000000123 --limit 5 -o json

  # Smoke check: something arrives within 30 seconds
  fhctl tail --expect 1 --within 30s > /dev/null

  # What mentions a word, in any case, among the last 5000 entries
  fhctl tail -n 5000 --grep '(?i)northern lights'

  # Deletes of one account, one line per record
  fhctl tail -f --did did:plc:aaaabbbbccccddddeeeeffff --action delete --ops

  # Only what you need, as you need it
  fhctl tail -n 100 --ops --template '{{.seq}} {{.op.action}} {{.op.path}}'

  # The relay itself, past Redis
  fhctl tail --source relay --relay-url wss://relay1.us-west.bsky.network --kind identity`

// tailOptions are tail's flags, as typed.
type tailOptions struct {
	source, last, since               string
	follow, end                       bool
	limit, expect                     int64
	within                            time.Duration
	collections, dids, kinds, actions []string
	grep                              string
	ops, raw                          bool
	format, template                  string

	withinSet bool
}

// Command is "fhctl tail".
func Command(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "tail", Short: "Show events of the stream or of a relay",
		Long: tailLong, Example: tailExample, Args: shell.AtMost(0), GroupID: shell.GroupEvents,
	}
	o := &tailOptions{}
	flags := cmd.Flags()
	flags.StringVar(&o.source, "source", output.FromStream, "read `SOURCE`: the Redis stream or the relay")
	flags.StringVarP(&o.last, "tail", "n", "", "begin with the last `N` entries, or all (default all, 10 with -f)")
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on with events as they are added")
	flags.StringVar(&o.since, "since", "", "begin `WHERE`: 10m (ago), a time (08:55, 2026-01-02T15:04:05Z), yesterday, a seq, an entry id, oldest, newest or live; a relay knows a seq, oldest and live")
	flags.Int64Var(&o.limit, "limit", 0, "end after `N` lines; 0 sets no limit")
	flags.BoolVarP(&o.end, "end", "e", false, "end at what was the end when it started, as the stream does without -f")
	flags.StringSliceVar(&o.collections, "collection", nil, "only ops in this `NSID`, exact (app.bsky.feed.post) or by prefix (app.bsky.*); repeatable")
	flags.StringSliceVar(&o.dids, "did", nil, "only events of this `DID`; repeatable")
	flags.StringSliceVar(&o.kinds, "kind", nil, "only events of this `KIND`: commit, identity, account, from a relay also sync, info, error; unknown is any other; repeatable")
	flags.StringSliceVar(&o.actions, "action", nil, "only ops with this `ACTION`: create, update, delete; repeatable")
	flags.StringVar(&o.grep, "grep", "", "only what this `PATTERN` occurs in, a text or an RE2 expression; it looks at the JSON of the event, or of the op where ops are chosen")
	flags.BoolVar(&o.ops, "ops", false, "one line per op")
	flags.BoolVar(&o.raw, "raw", false, "entries as they are stored, as {\"id\",\"fields\"}; frames as they came, in base64")
	flags.StringVarP(&o.format, "output", "o", "", "print `FORMAT`: text or json (default text on a terminal, else json)")
	flags.StringVar(&o.template, "template", "", "print each line through this `TEMPLATE`, a Go template over the JSON keys (docs/json.md); {{json .x}} prints JSON")
	flags.Int64Var(&o.expect, "expect", 0, "end with exit code 0 once `N` matching events were seen; implies -f")
	flags.DurationVar(&o.within, "within", 30*time.Second, "how long --expect waits before exit code 124, a `DURATION`")
	shell.Positive(flags, "expect", "within")
	shell.AddSettings(cmd, config.GroupRedis, config.GroupRelay)
	completeTail(a, cmd)
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		o.withinSet = cmd.Flags().Changed("within")
		return nil
	}
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		return runTail(ctx, env, cfg, o)
	})
	return cmd
}

// tailRun is one run of tail.
type tailRun struct {
	*shell.Env
	cfg *config.Config
	*tailPlan
	render func(e *output.Event) error // writes a line to out
	out    *bufio.Writer
	line   []byte
	seen   int64 // lines written
	looked int64 // events looked at

	// What --raw shows: the entry or the frame in hand.
	entry reader.Stored
	frame []byte
}

func runTail(ctx context.Context, env *shell.Env, cfg *config.Config, o *tailOptions) error {
	plan, err := o.plan(cfg.Relay.URL, time.Now())
	if err != nil {
		return err
	}
	shell.BoundReading()
	t := &tailRun{Env: env, cfg: cfg, tailPlan: plan, out: bufio.NewWriterSize(shell.Visible(env.Out), 64<<10)}
	if t.render, err = t.renderer(o); err != nil {
		return err
	}
	read := t.readStream
	if t.relay {
		read = t.readRelay
	}
	if t.expect > 0 {
		return t.expecting(ctx, o.within, read)
	}
	err = read(ctx)
	if t.follow && context.Cause(ctx) == shell.ErrInterrupted {
		err = nil // there is no other way to end it
	}
	if err == nil {
		t.tellNone()
	}
	return errors.Join(err, t.out.Flush())
}

// tellNone says how much passed when the filters matched nothing of it.
func (t *tailRun) tellNone() {
	if t.seen == 0 && t.looked > 0 && !t.match.any {
		t.Log.Warn(fmt.Sprintf("The filters match none of the %s events that passed", text.Thousands(t.looked)))
	}
}

// expecting runs read until enough was seen, or --within has passed.
func (t *tailRun) expecting(ctx context.Context, within time.Duration, read func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := read(limited)
	switch flushed := t.out.Flush(); {
	case t.seen >= t.expect:
		return flushed
	case fault.Ended(ctx) != nil:
		return ctx.Err()
	case fault.Ended(limited) == nil:
		return errors.Join(err, flushed)
	}
	return fault.New(fault.Deadline,
		fmt.Errorf("saw %d of %d expected events within %s", t.seen, t.expect, within), t.whyNone())
}

// whyNone is where to look when too little came.
func (t *tailRun) whyNone() string {
	switch {
	case t.looked > t.seen:
		return fmt.Sprintf("%d events came that the filters do not want", t.looked-t.seen)
	case t.relay:
		return "the relay is reached but sends nothing new; look at --since and at --log-level debug"
	}
	return `nothing is being added: does "fhctl ingest" run and its /readyz say 200?`
}

// renderer chooses what a line looks like.
func (t *tailRun) renderer(o *tailOptions) (func(*output.Event) error, error) {
	screen, _ := t.Out.(*os.File)
	terminal := screen != nil && term.IsTerminal(int(screen.Fd()))
	switch {
	case o.raw:
		return t.renderRaw, nil
	case o.template != "":
		template, err := output.NewTemplate(o.template, terminal)
		if err != nil {
			return nil, shell.UsageError(fmt.Errorf("flag --template: %w", err), "see https://pkg.go.dev/text/template")
		}
		return func(e *output.Event) error {
			line, err := template.Append(t.line[:0], e)
			if err != nil {
				return shell.UsageError(err, `choose events that have it, as with --kind commit, or ask first: {{with .data.ops}}…{{end}}`)
			}
			return t.put(line)
		}, nil
	case o.format == "json" || o.format == "" && !terminal:
		return func(e *output.Event) error { return output.WriteJSON(t.out, e) }, nil
	}
	columns := output.Columns{}
	if terminal {
		columns.Width = func() int { return output.TerminalWidth(screen) }
		columns.Color = !t.cfg.Log.NoColor && output.IsTerminal(screen)
	}
	return func(e *output.Event) error { return t.put(columns.Append(t.line[:0], e)) }, nil
}

func (t *tailRun) renderRaw(*output.Event) error {
	if t.relay {
		return t.put(output.AppendFrame(t.line[:0], t.frame))
	}
	return output.WriteEntry(t.out, string(t.entry.ID), t.entry.Fields)
}

// put writes a line, whose memory is kept for the next unless it is large.
func (t *tailRun) put(line []byte) error {
	if t.line = line; cap(line) > shell.LargeItem {
		t.line = nil
	}
	_, err := t.out.Write(line)
	return err
}

// show writes the lines that e gives, and reports whether more are wanted.
func (t *tailRun) show(e *output.Event) (more bool, err error) {
	// Few matches must not wait for the buffer to fill.
	if t.looked++; t.looked%1024 == 0 {
		if err := t.out.Flush(); err != nil {
			return false, err
		}
	}
	e.Op, e.Alone = -1, false
	if !t.match.event(e) {
		return true, nil
	}
	for i := range e.Outline.Ops {
		if !t.match.op(e, i) {
			continue
		}
		e.Op, e.Alone = i, t.ops
		if more, err := t.Write(e); !t.ops || !more || err != nil {
			return more, err
		}
	}
	if t.match.byOp {
		return true, nil
	}
	return t.Write(e)
}

func (t *tailRun) Write(e *output.Event) (more bool, err error) {
	if err := t.render(e); err != nil {
		return false, err
	}
	t.seen++
	done := t.limit > 0 && t.seen >= t.limit || t.expect > 0 && t.seen >= t.expect
	return !done, nil
}
