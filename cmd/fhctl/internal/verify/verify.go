// Package verify is the command "verify": it hands streams and captures to pkg/verify and
// shows what that finds.
package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/identity"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/verify"
)

const verifyLong = `Check what is stored and change nothing: the order of a stream, duplicates, gaps,
the cursor, and every entry as a worker reads it. Each record is turned back
into the block it came from and hashed: if that gives the op's cid, it is exactly
what the author signed.

SOURCE is the stream of the settings, or a capture file, whose frames are also
checked for block hashes, commit structure, tree inversion and, with --did-docs,
signatures. Everything runs offline.

Findings are errors or warnings. A gap is a warning, since relays skip numbers;
--strict makes every warning an error. docs/verify.md lists the rules.

--against STREAM compares two streams instead, seq by seq: type, data and seq.
Without --from and --to that is the stretch both hold.

A range that the stream holds in part is a warning: the verdict is about that
part. A range of which it holds nothing is no verdict at all.

Exit codes: 0 clean, 3 errors were found, 4 it could not tell: no stream, no
entries in the range, Redis away. What was covered is said in any case.`

const verifyExample = `  # The whole stream and its cursor
  fhctl verify

  # Around a seq that an error named; the last hour, strictly
  fhctl verify --from 7000000100 --to 7000000200
  fhctl verify --from 1h --strict

  # For a CI system, and for a monitor
  fhctl verify -o junit > verify.xml
  fhctl verify --from 10m -o json --max-findings 20

  # A recording with signatures; one frame in a hundred
  fhctl verify run.fhz --did-docs dids.json
  fhctl verify run.fhz --sample 100

  # A shadow run against the stream it shadows
  fhctl verify --stream-key shadow:events --against firehose:events`

// verifyOptions are verify's flags, as typed.
type verifyOptions struct {
	from, to                 string
	strict                   bool
	maxFindings, sample      int
	seed                     uint64
	didDocs                  string
	against, againstRedisURL string
	againstPartitions        int
	format                   string
}

// Command is "fhctl verify".
func Command(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify [SOURCE]", Short: "Check a stream or a capture, or compare two streams",
		Long: verifyLong, Example: verifyExample, Args: shell.AtMost(1), GroupID: shell.GroupEvents,
		ValidArgs: []cobra.Completion{"stream"},
	}
	o := &verifyOptions{}
	flags := cmd.Flags()
	flags.StringVar(&o.from, "from", "", "begin `WHERE`, included: a seq, an entry id, a time (08:55, 2026-01-02T15:04:05Z), yesterday, 10m (ago), oldest or newest")
	flags.StringVar(&o.to, "to", "", "end `WHERE`, included: as --from; newest is the present end")
	flags.BoolVar(&o.strict, "strict", false, "warnings are errors, and each gap is listed")
	flags.IntVar(&o.maxFindings, "max-findings", 100, "list `N` errors and as many warnings at most; all are counted; 0 lists all")
	flags.IntVar(&o.sample, "sample", 1, "check the contents of one entry in `N`; order and gaps are checked on all")
	flags.Uint64Var(&o.seed, "sample-seed", 0, "choose the sample at random from this `SEED` instead of every N-th; 0 does not")
	flags.StringVar(&o.didDocs, "did-docs", "", "check signatures of a capture with the DID documents in this `FILE`: a JSON object from DID to document, plain or zstd")
	flags.StringVar(&o.against, "against", "", "compare with the stream under this `KEY`")
	flags.StringVar(&o.againstRedisURL, "against-redis-url", "", "the `URL` of the Redis that --against is on, if it is another one")
	flags.IntVar(&o.againstPartitions, "against-partitions", 0, "how many partitions --against has, `N`; 0 is as many as --partitions")
	flags.StringVarP(&o.format, "output", "o", "text", "print `FORMAT`: text, json (one object a line) or junit")
	shell.Positive(flags, "sample")
	shell.AddSettings(cmd, config.GroupRedis)
	// Fails only for flags that do not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{"text", "json", "junit"}, cobra.ShellCompDirectiveNoFileComp))
	for _, end := range []string{"from", "to"} {
		_ = cmd.RegisterFlagCompletionFunc(end, cobra.FixedCompletions([]cobra.Completion{"10m", "1h", "yesterday", "oldest", "newest", "seq:"}, cobra.ShellCompDirectiveNoFileComp))
	}
	_ = cmd.MarkFlagFilename("did-docs")
	_ = cmd.RegisterFlagCompletionFunc("against", a.CompleteStreams())
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, args []string) error {
		p, err := o.plan(args, time.Now())
		if err != nil {
			return err
		}
		return runVerify(ctx, env, cfg, p)
	})
	return cmd
}

// verifyPlan is what verify's flags mean together, checked before anything is
// connected.
type verifyPlan struct {
	*verifyOptions
	source    endpoint.Terminus
	from, to  place.Place
	keys      *identity.Keys // nil checks no signatures
	startedAt time.Time
}

func (o *verifyOptions) plan(args []string, now time.Time) (*verifyPlan, error) {
	p := &verifyPlan{verifyOptions: o, startedAt: now}
	if err := o.together(); err != nil {
		return nil, err
	}
	var err error
	if len(args) > 0 {
		if p.source, err = endpoint.ParseSource(args[0]); err != nil {
			return nil, err
		}
	}
	if p.from, err = ranges.ParseBegin("--from", o.from, now); err != nil {
		return nil, err
	}
	if p.to, err = ranges.ParseEnd("--to", o.to, now); err != nil {
		return nil, err
	}
	if err := p.fits(); err != nil {
		return nil, err
	}
	if o.didDocs != "" {
		p.keys, err = identity.Open(o.didDocs)
	}
	return p, err
}

// together refuses values and flags that do not go together.
func (o *verifyOptions) together() error {
	switch {
	case o.format != "text" && o.format != "json" && o.format != "junit":
		return shell.UsageError(fmt.Errorf("flag --output: %q is none of text, json and junit", o.format), "write text, json or junit")
	case o.format == "junit" && o.maxFindings == 0:
		return shell.UsageError(errors.New("-o junit holds its findings in memory, so it cannot list all"), "give --max-findings a number, or use -o json")
	case o.seed != 0 && o.sample == 1:
		return shell.UsageError(errors.New("--sample-seed chooses a sample"), "add --sample N")
	case o.againstPartitions > keyspace.MostPartitions:
		return shell.UsageError(errors.New("flag --against-partitions: it is out of bounds"), "write a number from 1 to 64")
	case o.against == "" && o.againstPartitions > 0:
		return shell.UsageError(errors.New("--against-partitions is of --against"), "add --against KEY")
	case config.IsURL(o.against):
		return shell.UsageError(fmt.Errorf("flag --against: %q is a URL and not the name of a key", fault.Redact(o.against)), "add --against-redis-url URL, and give the stream's key with --against")
	case o.against == "" && o.againstRedisURL != "":
		return shell.UsageError(errors.New("--against-redis-url is where --against is"), "add --against KEY")
	case o.against != "" && o.sample != 1:
		return shell.UsageError(errors.New("--against compares every entry"), "leave --sample out")
	}
	return nil
}

// fits refuses flags that this source has no use for.
func (p *verifyPlan) fits() error {
	isCapture := p.source.Kind == endpoint.CaptureEnd
	switch {
	case p.source.Kind == endpoint.EndRelay:
		return shell.UsageError(errors.New("a relay is not something stored"), "record it first: fhctl record FILE.fhz")
	case isCapture && p.against != "":
		return shell.UsageError(errors.New("--against compares streams, and SOURCE is a capture"), "replay the capture into a stream first: fhctl replay FILE.fhz --to stream --to-stream KEY")
	case !isCapture && p.didDocs != "":
		return shell.UsageError(errors.New("--did-docs is for captures: a stream holds no signatures"), "name a capture file as SOURCE")
	case p.from.Kind == place.Live:
		return shell.UsageError(errors.New(`flag --from: "live" is what is not stored yet`), "wait until it is stored: fhctl tail --expect 1")
	case isCapture && (p.from.Kind == place.ID || p.to.Kind == place.ID):
		return shell.UsageError(errors.New("a capture has no stream ids"), "give --from and --to as a seq or a time")
	case isCapture && p.from.Kind == place.Newest:
		return shell.UsageError(errors.New(`flag --from: "newest" is a place in a stream`), "give --from as a seq or a time")
	case p.from.Behind(p.to):
		return shell.UsageError(fmt.Errorf("--from %s lies behind --to %s", p.from, p.to), "exchange them")
	}
	return nil
}

// rules is how the plan judges.
func (p *verifyPlan) rules() verify.Config {
	c := verify.Config{Strict: p.strict, MaxFindings: p.maxFindings, Sample: p.sample, Seed: p.seed}
	if p.keys != nil {
		c.Signature = p.keys.Verify
	}
	return c
}

// chosen says which contents were checked.
func (p *verifyPlan) chosen() string {
	switch {
	case p.sample == 1:
		return "all"
	case p.seed != 0:
		return fmt.Sprintf("one in %d at random, seed %d", p.sample, p.seed)
	}
	return fmt.Sprintf("one in every %d", p.sample)
}

// asked is --from and --to with the moments they mean, for messages.
func (p *verifyPlan) asked() string {
	var parts []string
	if p.from.Text != "" {
		parts = append(parts, "--from "+p.from.String())
	}
	if p.to.Text != "" {
		parts = append(parts, "--to "+p.to.String())
	}
	return strings.Join(parts, " ")
}
