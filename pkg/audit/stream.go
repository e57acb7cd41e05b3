package audit

import (
	"context"
	"errors"
	"iter"

	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/verify"
)

// Stream checks the entries of a stream, or of a set of partitions as one, what was
// removed from inside of it, and, where the stretch goes up to its end, its cursor.
//
// The Summary is nil where nothing was checked: an error says why. An error beside one
// ended the audit early, and the Summary is about what was read. What was found is no
// error. Stream changes nothing, and leaves the reader open.
func Stream(ctx context.Context, stream *reader.Reader, s Stretch, o Options) (*Summary, error) {
	a := newAudit(s, o)
	x, err := stretchOf(ctx, stream, a.From, a.To)
	if err != nil {
		return nil, missing(err, stream, false)
	}
	if x.empty {
		return nil, errNothing(Nothing{What: "entries"}, holds(x.bounds))
	}
	a.tell(0, 0, 0)
	rules, err := a.streamRules(ctx, stream, &x)
	if err != nil {
		return nil, err
	}
	check := verify.NewStream(rules)
	read, err := a.entries(ctx, stream, x, check)
	removed := 0
	if err == nil {
		removed, err = deleted(ctx, stream, x, check)
	}
	if err == nil && read == 0 && removed == 0 {
		return nil, errNothing(Nothing{What: "entries"}, holds(x.bounds))
	}
	if err == nil {
		err = a.gone(ctx, stream, x, check)
	}
	if err == nil && x.open {
		err = a.cursor(ctx, stream, check)
	}
	return a.end(check.Close(), err)
}

// streamRules are the rules with what they need to know of the stream.
func (a *audit) streamRules(ctx context.Context, stream *reader.Reader, x *stretch) (rules verify.Config, err error) {
	rules = a.rules()
	rules.Reread = func(ctx context.Context, from, to string) iter.Seq2[verify.Mark, error] {
		return reread(ctx, stream, from, to)
	}
	rules.Partitions = len(stream.Partitions())
	rules.GapsFrom, err = untrimmedFrom(ctx, stream)
	rules.GapsTo = x.reached
	rules.Uncovered = func() []string { return a.uncovered(x) }
	return rules, err
}

// missing is the error of a stream that cannot be looked at.
func missing(err error, stream *reader.Reader, other bool) error {
	if !errors.Is(err, reader.ErrNoStream) {
		return err
	}
	return fault.New(fault.Unreachable, &MissingStream{Key: stream.StreamKey(), Other: other}, "")
}

// entries hands the stretch to the check.
func (a *audit) entries(ctx context.Context, stream *reader.Reader, x stretch, check *verify.Stream) (done int64, err error) {
	for s, err := range entriesIn(ctx, stream, x) {
		if err != nil {
			return done, err
		}
		if err := check.Entry(ctx, verify.Entry{ID: nameEntry(stream, s), Fields: s.Fields, Partition: s.Partition}); err != nil {
			return done, err
		}
		if done++; done%tellEach == 0 {
			seq, _ := s.Seq()
			a.tell(done, x.fraction(done, s.ID), seq)
		}
	}
	return done, nil
}

// uncovered says what of the range the stream does not hold.
func (a *audit) uncovered(x *stretch) (why []string) {
	reached := x.reached
	if c := a.summary.Cursor; c != nil && reached == 0 {
		reached, _ = event.ParseSeq(c.After) // what is no seq reaches nothing
	}
	for _, part := range []string{
		x.begins.Lacks(a.From, "the stream"), coverage.LacksEnd(a.To, x.bounds.Last, reached, "the stream", a.Asked),
	} {
		if part != "" {
			why = append(why, part)
		}
	}
	a.summary.Lacks = why
	return why
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
