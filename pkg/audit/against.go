package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/verify"
)

// ErrItself is the error where a stream is compared with itself, or with a partition of
// it: that is clean whatever it holds.
var ErrItself = errors.New("the two streams are one")

// Against compares a stream with another, seq by seq: type, data and seq. A stretch
// without ends is what both hold. Where one of them is a set, it is read as one stream.
//
// The Summary is nil where nothing was compared: see [Stream]. Two readers of one stream
// are refused with [ErrItself]. Against leaves both readers open.
func Against(ctx context.Context, here, there *reader.Reader, s Stretch, o Options) (*Summary, error) {
	if err := refuseItself(ctx, here, there); err != nil {
		return nil, err
	}
	p := &pair{audit: newAudit(s, o), here: here, there: there}
	var err error
	if p.ours, err = stretchOf(ctx, here, p.From, p.To); err != nil {
		return nil, missing(err, here, false)
	}
	if p.others, err = stretchOf(ctx, there, place.Place{}, place.Place{}); err != nil {
		return nil, missing(err, there, true)
	}
	if p.ours.empty {
		return nil, errNothing(Nothing{What: "entries"}, holds(p.ours.bounds))
	}
	if p.others.empty {
		return nil, errNothing(Nothing{What: "entries", Other: true}, "")
	}
	span, err := p.overlap(ctx)
	if err != nil {
		return nil, err
	}
	if p.summary.Lacks, err = p.lacks(ctx); err != nil {
		return nil, err
	}
	return p.sideBySide(ctx, span)
}

// pair is a comparison under way: a stream and the other, and what is read of them.
type pair struct {
	*audit
	here, there  *reader.Reader
	ours, others stretch
}

// refuseItself refuses a server's stream twice, whatever it was called by. The server may
// hold the key in several databases, so the ends must agree as well.
func refuseItself(ctx context.Context, here, there *reader.Reader) error {
	if !shareKeys(here, there) {
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
		return missing(err, here, false)
	}
	theirs, err := there.Bounds(ctx)
	if errors.Is(err, reader.ErrNoStream) {
		return nil // another database
	}
	if err == nil && mine.First.ID == theirs.First.ID {
		err = ErrItself
	}
	return err
}

// shareKeys reports whether two readers read a key of the same name.
func shareKeys(here, there *reader.Reader) bool {
	return slices.ContainsFunc(there.Partitions(), func(theirs *reader.Reader) bool {
		return slices.ContainsFunc(here.Partitions(), func(mine *reader.Reader) bool { return mine.StreamKey() == theirs.StreamKey() })
	})
}

// overlap is the seqs that are compared: those both streams hold, and no more
// than was asked for.
func (p *pair) overlap(ctx context.Context) (span verify.Span, err error) {
	mine, err := spanOf(ctx, p.here, p.ours)
	if err != nil {
		return span, err
	}
	theirs, err := spanOf(ctx, p.there, p.others)
	if err != nil {
		return span, err
	}
	for _, stream := range []*reader.Reader{p.here, p.there} {
		trimmed, err := untrimmedFrom(ctx, stream)
		if err != nil {
			return span, err
		}
		mine.From = max(mine.From, trimmed)
	}
	span = verify.Span{From: max(mine.From, theirs.From), To: min(mine.To, theirs.To)}
	for _, x := range []stretch{p.ours, p.others} {
		if x.reached > 0 {
			span.To = min(span.To, x.reached)
		}
	}
	if p.From.Kind == place.Seq {
		span.From = p.From.Seq
	}
	if p.To.Kind == place.Seq {
		span.To = p.To.Seq
	}
	if mine.To == 0 || theirs.To == 0 || span.From > span.To {
		return span, fault.New(fault.Unreachable, errors.New("nothing to compare: no seq is in both streams"),
			"this one: "+holds(p.ours.bounds)+"; the other: "+holds(p.others.bounds))
	}
	return span, nil
}

// lacks says what of the range that was asked for is not compared. What one
// of the streams holds of a range of seqs is: the other then lacks it.
func (p *pair) lacks(ctx context.Context) (why []string, err error) {
	whole, err := stretchOf(ctx, p.here, place.Place{}, place.Place{})
	if err != nil {
		return nil, err
	}
	one, other := whole.begins.Lacks(p.From, "this stream"), p.others.begins.Lacks(p.From, "the other")
	end, otherEnd := coverage.LacksEnd(p.To, whole.bounds.Last, 0, "this stream", p.Asked), coverage.LacksEnd(p.To, p.others.bounds.Last, 0, "the other", p.Asked)
	if p.From.Kind == place.Seq && (one == "" || other == "") {
		one, other = "", ""
	}
	if p.To.Kind == place.Seq && (end == "" || otherEnd == "") {
		end, otherEnd = "", ""
	}
	if p.From.Kind != place.Seq {
		if other, otherEnd, err = p.otherLacks(ctx); err != nil {
			return nil, err
		}
	}
	for _, part := range []string{one, other, end, otherEnd} {
		if part != "" {
			why = append(why, part)
		}
	}
	return why, nil
}

// otherLacks says what the other stream lacks of a range of times or ids, at either end.
// It may have been written at other times and hold the same seqs, so they count.
func (p *pair) otherLacks(ctx context.Context) (begin, end string, err error) {
	mine, err := spanOf(ctx, p.here, p.ours)
	if err != nil {
		return "", "", err
	}
	if first := p.others.begins; !p.From.Open() && first.Seq > mine.From {
		begin = fmt.Sprintf("asked for from %s on, which is seq %d, but the other begins with %s: what lies before is not covered", p.From, mine.From, coverage.Name(first.Seq, first.ID))
	}
	last, _ := p.others.bounds.Last.Seq()
	ended := p.To.Kind == place.ID || p.To.Kind == place.Time && p.To.Time.Before(p.Asked)
	if ended && mine.To > last {
		end = fmt.Sprintf("asked for up to %s, which is seq %d, but the other ends with %s: what lies behind is not covered", p.To, mine.To, coverage.Name(last, p.others.bounds.Last.ID))
	}
	return begin, end, nil
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

// sideBySide compares what both streams have of the span.
func (p *pair) sideBySide(ctx context.Context, span verify.Span) (*Summary, error) {
	p.tell(0, 0, 0)
	rules := p.rules()
	rules.Uncovered = func() []string { return p.summary.Lacks }
	start, found, err := p.there.SeekSeq(ctx, span.From)
	if err != nil {
		return nil, err
	}
	if !found { // it ends before the range; what this one has is extra
		start = reader.Stored{ID: p.others.to.Next()}
	}
	end := p.others.to
	if !p.ours.open {
		behind, found, err := p.there.SeekSeq(ctx, span.To+1)
		if err != nil {
			return nil, err
		}
		if found {
			end = behind.ID
		}
	}
	done := int64(0)
	left := entriesOf(entriesIn(ctx, p.here, p.ours), func(s reader.Stored) {
		if done++; done%tellEach == 0 {
			seq, _ := s.Seq()
			p.tell(done, p.ours.fraction(done, s.ID), seq)
		}
	})
	right := entriesOf(theirs(ctx, p.there, p.others, start.ID, end), func(reader.Stored) {})
	sum, err := verify.Compare(ctx, rules, span, left, right)
	if err == nil && sum.Items+sum.Others == 0 {
		return nil, errNothing(Nothing{What: "entries"}, holds(p.ours.bounds))
	}
	return p.end(sum, err)
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
