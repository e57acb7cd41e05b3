package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/verify"
)

// compare judges the stream by another one.
func (r *verifyRun) compare(ctx context.Context, here *reader.Reader) error {
	other := r.other()
	there, err := settings.OpenReaderOf(ctx, r.Log, other, other.Redis.Partitions, true)
	if err != nil {
		return fmt.Errorf("open the other stream: %w", err)
	}
	defer closeWith(ctx, there)()
	if err := r.refuseSameServer(ctx, here, there); err != nil {
		return err
	}
	a, err := stretchOf(ctx, here, r.from, r.to)
	if err != nil {
		return r.missing(err)
	}
	b, err := stretchOf(ctx, there, place.Place{}, place.Place{})
	if errors.Is(err, reader.ErrNoStream) {
		err = shell.ErrStreamMissing(r.against, fault.Redact(other.Redis.URL))
	}
	if err != nil {
		return err
	}
	if a.empty {
		return r.nothing("entries", held(a.bounds))
	}
	if b.empty {
		return fault.New(fault.Unreachable, fmt.Errorf("nothing to compare: stream %s is empty", r.against), "")
	}
	span, err := r.overlap(ctx, here, there, a, b)
	if err != nil {
		return err
	}
	r.name += " against " + r.against + " at " + fault.Redact(other.Redis.URL)
	r.pairLacks, err = r.lacksOfPair(ctx, here, there, a, b)
	if err != nil {
		return err
	}
	return r.sideBySide(ctx, here, there, a, b, span)
}

// other is the settings of the stream that --against names.
func (r *verifyRun) other() *config.Config {
	cfg := *r.cfg
	if r.againstRedisURL != "" {
		cfg.Redis.URL, cfg.Redis.URLName, cfg.Redis.PasswordFile = r.againstRedisURL, "--against-redis-url", ""
	}
	cfg.Redis.StreamKey = r.against
	if r.againstPartitions > 0 {
		cfg.Redis.Partitions = r.againstPartitions
	}
	return &cfg
}

// errItself refuses what would be clean whatever it holds.
func (r *verifyRun) errItself() error {
	return shell.UsageError(fmt.Errorf("--against %s is the stream itself", r.against), "name the stream to compare with; fhctl verify without --against judges one alone")
}

// refuseItself refuses, before anything is connected, the same stream by the same
// URL. A partition of a set is a part of it.
func (r *verifyRun) refuseItself() error {
	if other := r.other(); other.Redis.URL == r.cfg.Redis.URL && r.sharesKeys(other) {
		return r.errItself()
	}
	return nil
}

func (r *verifyRun) sharesKeys(other *config.Config) bool {
	mine := streamKeys(r.cfg)
	return slices.ContainsFunc(streamKeys(other), func(key string) bool { return slices.Contains(mine, key) })
}

// streamKeys are the keys that the settings' stream is made of.
func streamKeys(cfg *config.Config) []string {
	if cfg.Redis.Partitions <= 1 {
		return []string{cfg.Redis.StreamKey}
	}
	keys := make([]string, cfg.Redis.Partitions)
	for i := range keys {
		keys[i] = keyspace.Partition(cfg.Redis.StreamKey, i)
	}
	return keys
}

// refuseSameServer refuses the same stream under another URL. The server may hold
// the key in several databases, so the ends must agree as well.
func (r *verifyRun) refuseSameServer(ctx context.Context, here, there *reader.Reader) error {
	if !r.sharesKeys(r.other()) {
		return nil
	}
	a, err := here.Vitals(ctx)
	if err != nil {
		return err
	}
	b, err := there.Vitals(ctx)
	if err != nil {
		return err
	}
	if a.RunID == "" || a.RunID != b.RunID {
		return nil
	}
	mine, err := here.Bounds(ctx)
	if err != nil {
		return r.missing(err)
	}
	theirs, err := there.Bounds(ctx)
	if errors.Is(err, reader.ErrNoStream) {
		return nil // another database
	}
	if err == nil && mine.First.ID == theirs.First.ID {
		err = r.errItself()
	}
	return err
}

// overlap is the seqs that are compared: those both streams hold, and no more
// than was asked for.
func (r *verifyRun) overlap(ctx context.Context, here, there *reader.Reader, a, b stretch) (span verify.Span, err error) {
	mine, err := spanOf(ctx, here, a)
	if err != nil {
		return span, err
	}
	theirs, err := spanOf(ctx, there, b)
	if err != nil {
		return span, err
	}
	for _, stream := range []*reader.Reader{here, there} {
		trimmed, err := untrimmedFrom(ctx, stream)
		if err != nil {
			return span, err
		}
		mine.From = max(mine.From, trimmed)
	}
	span = verify.Span{From: max(mine.From, theirs.From), To: min(mine.To, theirs.To)}
	for _, x := range []stretch{a, b} {
		if x.reached > 0 {
			span.To = min(span.To, x.reached)
		}
	}
	if r.from.Kind == place.Seq {
		span.From = r.from.Seq
	}
	if r.to.Kind == place.Seq {
		span.To = r.to.Seq
	}
	if mine.To == 0 || theirs.To == 0 || span.From > span.To {
		return span, fault.New(fault.Unreachable, errors.New("nothing to compare: no seq is in both streams"),
			"this one: "+held(a.bounds)+"; the other: "+held(b.bounds))
	}
	return span, nil
}

// lacksOfPair says what of the range that was asked for is not compared. What one
// of the streams holds of a range of seqs is: the other then lacks it.
func (r *verifyRun) lacksOfPair(ctx context.Context, here, there *reader.Reader, a, b stretch) (why []string, err error) {
	whole, err := stretchOf(ctx, here, place.Place{}, place.Place{})
	if err != nil {
		return nil, err
	}
	one, other := whole.held.Lacks(r.from, "this stream"), b.held.Lacks(r.from, "the other")
	end, otherEnd := coverage.LacksEnd(r.to, whole.bounds.Last, 0, "this stream", r.startedAt), coverage.LacksEnd(r.to, b.bounds.Last, 0, "the other", r.startedAt)
	if r.from.Kind == place.Seq && (one == "" || other == "") {
		one, other = "", ""
	}
	if r.to.Kind == place.Seq && (end == "" || otherEnd == "") {
		end, otherEnd = "", ""
	}
	// A stream that was written at other times holds the seqs of a range of times
	// all the same, so its ends count by their seqs.
	if r.from.Kind != place.Seq {
		other = ""
		mine, err := spanOf(ctx, here, a)
		if err != nil {
			return nil, err
		}
		if !r.from.Open() && b.held.Seq > mine.From {
			other = fmt.Sprintf("asked for from %s on, which is seq %d, but the other begins with %s: what lies before is not covered", r.from, mine.From, coverage.Name(b.held.Seq, b.held.ID))
		}
		last, _ := b.bounds.Last.Seq()
		ended := r.to.Kind == place.ID || r.to.Kind == place.Time && r.to.Time.Before(r.startedAt)
		if otherEnd = ""; ended && mine.To > last {
			otherEnd = fmt.Sprintf("asked for up to %s, which is seq %d, but the other ends with %s: what lies behind is not covered", r.to, mine.To, coverage.Name(last, b.bounds.Last.ID))
		}
	}
	for _, part := range []string{one, other, end, otherEnd} {
		if part != "" {
			why = append(why, part)
		}
	}
	return why, nil
}

// edgeEntries is how many entries at each end are looked at for the lowest and
// the highest seq: the very first or last may stand out of place.
const edgeEntries = 100

// spanOf is the lowest and the highest seq of a stretch; zero when no entry at
// an end has one.
func spanOf(ctx context.Context, stream *reader.Reader, x stretch) (span verify.Span, err error) {
	n := 0
	for s, err := range entriesIn(ctx, stream, x) {
		if err != nil {
			return span, err
		}
		if seq, ok := s.Seq(); ok && (span.From == 0 || seq < span.From) {
			span.From = seq
		}
		if n++; n == edgeEntries {
			break
		}
	}
	last, err := lastOf(ctx, stream, x)
	for _, s := range last {
		seq, _ := s.Seq()
		span.To = max(span.To, seq)
	}
	return span, err
}

// lastOf is the last entries of a stretch. Where it ends before its stream, the
// seq that follows it, less one, is as good as the highest.
func lastOf(ctx context.Context, stream *reader.Reader, x stretch) ([]reader.Stored, error) {
	switch {
	case stream.IsSet(): // its span is bounded by what all partitions have reached
		return stream.LastHeads(ctx, edgeEntries)
	case x.open: // what was appended since is not read either
		return stream.HeadsBefore(ctx, x.to.Next(), edgeEntries)
	}
	s, found, err := stream.Following(ctx, x.to)
	if seq, ok := s.Seq(); ok && found {
		s.Fields = []string{entry.FieldSeq, (seq - 1).String()}
		return []reader.Stored{s}, nil
	}
	return nil, err
}

func (r *verifyRun) sideBySide(ctx context.Context, here, there *reader.Reader, a, b stretch, span verify.Span) error {
	r.begin(verify.OfPair)
	rules := r.rules()
	rules.Report = r.report.finding
	r.report.lacks = r.pairLacks
	rules.Uncovered = func() []string { return r.pairLacks }
	start, found, err := there.SeekSeq(ctx, span.From)
	if err != nil {
		return err
	}
	if !found { // it ends before the range; what this one has is extra
		start = reader.Stored{ID: b.to.Next()}
	}
	end := b.to
	if !a.open {
		behind, found, err := there.SeekSeq(ctx, span.To+1)
		if err != nil {
			return err
		}
		if found {
			end = behind.ID
		}
	}
	done := int64(0)
	left := entriesOf(entriesIn(ctx, here, a), func(s reader.Stored) {
		if done++; done%drawEach == 0 {
			seq, _ := s.Seq()
			r.report.progress(done, a.fraction(done, s.ID), seq)
		}
	})
	right := entriesOf(theirs(ctx, there, b, start.ID, end), func(reader.Stored) {})
	sum, err := verify.Compare(ctx, rules, span, left, right)
	if err == nil && sum.Items+sum.Others == 0 {
		return r.nothing("entries", held(a.bounds))
	}
	return r.end(ctx, sum, err)
}

// theirs is the part of the other stream that is compared. Of a set it ends where
// all its partitions have come to.
func theirs(ctx context.Context, there *reader.Reader, b stretch, from, to reader.ID) iter.Seq2[reader.Stored, error] {
	if !there.IsSet() {
		return there.Range(ctx, from, to)
	}
	return b.pick(there.UpTo(ctx, from, b.end))
}

func entriesOf(stored iter.Seq2[reader.Stored, error], seen func(reader.Stored)) iter.Seq2[verify.Entry, error] {
	return func(yield func(verify.Entry, error) bool) {
		for s, err := range stored {
			seen(s)
			if !yield(verify.Entry{ID: string(s.ID), Fields: s.Fields}, err) {
				return
			}
		}
	}
}
