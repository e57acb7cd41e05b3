package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
	"github.com/fhctl/fhctl/pkg/verify"
)

// verifyRun is one run of verify.
type verifyRun struct {
	*shell.Env
	cfg *config.Config
	*verifyPlan
	name      string // of what is checked, for people; no password
	report    *verifyReport
	replayed  bool     // the stream is a replay's, with a cursor of its own
	pairLacks []string // with --against: what of the range is not compared
}

func runVerify(ctx context.Context, env *shell.Env, cfg *config.Config, p *verifyPlan) error {
	shell.BoundReading()
	r := &verifyRun{Env: env, cfg: cfg, verifyPlan: p}
	defer r.giveBackLine()
	if p.source.Kind == endpoint.CaptureEnd {
		r.name = "capture " + p.source.Path
		return r.capture(ctx)
	}
	if p.source.Url != "" {
		r.cfg = withRedis(cfg, p.source.Url)
	}
	if p.against != "" {
		if err := r.refuseItself(); err != nil {
			return err
		}
	}
	stream, err := settings.OpenReader(ctx, r.Log, r.cfg)
	if err == nil {
		stream, err = r.ownCursor(ctx, stream)
	}
	if err != nil {
		return err
	}
	defer closeWith(ctx, stream)()
	r.name = "stream " + stream.StreamKey() + " at " + fault.Redact(r.cfg.Redis.URL)
	if p.against != "" {
		return r.compare(ctx, stream)
	}
	return r.stream(ctx, stream)
}

// giveBackLine ends the report's hold of the terminal, however the run ends: the error
// is printed behind it.
func (r *verifyRun) giveBackLine() {
	if r.report != nil {
		r.report.restore()
	}
}

// withRedis is the settings with another Redis, whose password is in its URL.
func withRedis(of *config.Config, url string) *config.Config {
	cfg := *of
	cfg.Redis.URL, cfg.Redis.URLName, cfg.Redis.PasswordFile = url, "the URL given as SOURCE", ""
	return &cfg
}

// closeWith closes a stream, and earlier when ctx ends: a read that a Redis
// leaves hanging is not waited for.
func closeWith(ctx context.Context, stream *reader.Reader) func() {
	stop := context.AfterFunc(ctx, func() { _ = stream.Close() })
	return func() {
		if stop() {
			_ = stream.Close() // nothing was written
		}
	}
}

// missing classes what keeps verify from checking anything: exit code 4.
func (r *verifyRun) missing(err error) error {
	if !errors.Is(err, reader.ErrNoStream) {
		return err
	}
	return shell.ErrStreamMissing(r.cfg.Redis.StreamKey, fault.Redact(r.cfg.Redis.URL))
}

// nothing is the error for a source or a range without entries.
func (r *verifyRun) nothing(what string, bounds string) error {
	if asked := r.asked(); asked != "" {
		return fault.New(fault.Unreachable, fmt.Errorf("nothing to check: %s has no %s in the range %s", r.name, what, asked), bounds)
	}
	return fault.New(fault.Unreachable, fmt.Errorf("nothing to check: %s is empty", r.name), "")
}

// held says what a stream holds, as a hint.
func held(b reader.Bounds) string {
	if b.Length == 0 {
		return "fhctl ingest fills it; --stream-key names another"
	}
	first, _ := b.First.Seq()
	last, _ := b.Last.Seq()
	return fmt.Sprintf("it holds seq %d to %d, ids %s to %s, stored %s to %s", first, last, b.First.ID, b.Last.ID,
		text.Time(b.First.ID.Time()), text.Time(b.Last.ID.Time()))
}

// stream checks a stream and its cursor.
func (r *verifyRun) stream(ctx context.Context, stream *reader.Reader) error {
	x, err := stretchOf(ctx, stream, r.from, r.to)
	if err != nil {
		return r.missing(err)
	}
	if x.empty {
		return r.nothing("entries", held(x.bounds))
	}
	r.begin(verify.OfStream)
	rules := r.rules()
	rules.Report = r.report.finding
	rules.Reread = func(ctx context.Context, from, to string) iter.Seq2[verify.Mark, error] {
		return reread(ctx, stream, from, to)
	}
	rules.Partitions = len(stream.Partitions())
	if rules.GapsFrom, err = untrimmedFrom(ctx, stream); err != nil {
		return err
	}
	rules.GapsTo = x.reached
	rules.Uncovered = func() []string { return r.uncovered(&x) }
	check := verify.NewStream(rules)
	read, err := r.entries(ctx, stream, x, check)
	gone := 0
	if err == nil {
		gone, err = deleted(ctx, stream, x, check)
	}
	if err == nil && read == 0 && gone == 0 {
		return r.nothing("entries", held(x.bounds))
	}
	if err == nil {
		err = r.gone(ctx, stream, x, check)
	}
	if err == nil && x.open {
		err = r.cursor(ctx, stream, check)
	}
	return r.end(ctx, check.Close(), err)
}

func marksOf(stream *reader.Reader, entries iter.Seq2[reader.Stored, error]) iter.Seq2[verify.Mark, error] {
	return func(yield func(verify.Mark, error) bool) {
		for s, err := range entries {
			seq, ok := s.Seq()
			if (ok || err != nil) && !yield(verify.Mark{Seq: seq, ID: nameEntry(stream, s)}, err) {
				return
			}
		}
	}
}

// drawEach is how many entries pass between two looks at the clock.
const drawEach = 512

// entries hands the stretch to the check.
func (r *verifyRun) entries(ctx context.Context, stream *reader.Reader, x stretch, check *verify.Stream) (done int64, err error) {
	for s, err := range entriesIn(ctx, stream, x) {
		if err != nil {
			return done, err
		}
		if err := check.Entry(ctx, verify.Entry{ID: nameEntry(stream, s), Fields: s.Fields, Partition: s.Partition}); err != nil {
			return done, err
		}
		if done++; done%drawEach == 0 {
			seq, _ := s.Seq()
			r.report.progress(done, x.fraction(done, s.ID), seq)
		}
	}
	return done, nil
}

// uncovered says what of the range the stream does not hold.
func (r *verifyRun) uncovered(x *stretch) (why []string) {
	reached := x.reached
	if c := r.report.cursor; c != nil && reached == 0 {
		reached, _ = event.ParseSeq(c.After) // what is no seq reaches nothing
	}
	for _, part := range []string{
		x.held.Lacks(r.from, "the stream"), coverage.LacksEnd(r.to, x.bounds.Last, reached, "the stream", r.startedAt),
	} {
		if part != "" {
			why = append(why, part)
		}
	}
	r.report.lacks = why
	return why
}

// fraction is how much of the stretch was read: by entries where all are read,
// else by time.
func (x *stretch) fraction(done int64, at reader.ID) float64 {
	if x.whole {
		return float64(done) / float64(x.bounds.Length)
	}
	span := x.to.Time().Sub(x.from.Time())
	if span <= 0 {
		return -1
	}
	return float64(at.Time().Sub(x.from.Time())) / float64(span)
}

// deleted asks Redis whether entries were taken out of the stretch, and says in
// how many partitions some were.
func deleted(ctx context.Context, stream *reader.Reader, x stretch, check *verify.Stream) (gone int, err error) {
	for i, part := range stream.Partitions() {
		id, err := part.LastDeleted(ctx)
		if errors.Is(err, reader.ErrNoStream) && stream.IsSet() {
			continue
		}
		if err != nil {
			return gone, err
		}
		if id == "" || id.Compare(x.from) < 0 || id.Compare(x.to) > 0 && !x.open {
			continue
		}
		s, _, err := part.Following(ctx, id)
		if err != nil {
			return gone, err
		}
		s.Partition = i
		seq, _ := s.Seq()
		gone++
		check.Deleted(nameEntry(stream, reader.Stored{ID: id, Partition: i}), verify.Mark{Seq: seq, ID: nameEntry(stream, s)})
	}
	return gone, nil
}

// begin opens the report.
func (r *verifyRun) begin(of verify.Source) {
	r.report = newVerifyReport(r.Env, r.cfg, r.verifyPlan, r.name, of)
}

// end prints the summary and gives the command's error. What was found counts
// more than that it ended early, unless somebody ended it.
func (r *verifyRun) end(ctx context.Context, sum verify.Summary, err error) error {
	if wrote := r.report.end(sum, err); wrote != nil {
		return wrote
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if sum.Clean() {
		return err
	}
	found := fault.New(fault.Findings, fmt.Errorf("%s in %s", text.Counted(sum.Errors, "error"), r.name), "docs/verify.md says what each rule means")
	if err == nil {
		return found
	}
	return errors.Join(found, err)
}
