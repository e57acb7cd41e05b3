package main

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/verify"
)

// compare judges the stream by another one.
func (r *verifyRun) compare(ctx context.Context, here *redisstream.Reader) error {
	s := r.session
	if r.againstRedisURL != "" {
		s = s.withRedis(r.againstRedisURL)
	}
	other := *s.cfg
	other.Redis.StreamKey = r.against
	if r.againstPartitions > 0 {
		other.Redis.Partitions = r.againstPartitions
	}
	there, err := (&session{app: s.app, cfg: &other, slog: s.slog}).readerOf(ctx, other.Redis.Partitions, true)
	if err != nil {
		return fmt.Errorf("open the other stream: %w", err)
	}
	defer closeWith(ctx, there)()
	a, err := stretchOf(ctx, here, r.from, r.to)
	if err != nil {
		return r.missing(err)
	}
	b, err := stretchOf(ctx, there, place{}, place{})
	if errors.Is(err, redisstream.ErrNoStream) {
		err = errStreamMissing(r.against, fault.Redact(other.Redis.URL))
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
	return r.sideBySide(ctx, here, there, a, b, span)
}

// overlap is the seqs that are compared: those both streams hold, and no more
// than was asked for.
func (r *verifyRun) overlap(ctx context.Context, here, there *redisstream.Reader, a, b stretch) (span verify.Span, err error) {
	mine, err := spanOf(ctx, here, a)
	if err != nil {
		return span, err
	}
	theirs, err := spanOf(ctx, there, b)
	if err != nil {
		return span, err
	}
	for _, reader := range []*redisstream.Reader{here, there} {
		trimmed, err := untrimmedFrom(ctx, reader)
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
	if r.from.kind == placeSeq {
		span.From = r.from.seq
	}
	if r.to.kind == placeSeq {
		span.To = r.to.seq
	}
	if mine.To == 0 || theirs.To == 0 || span.From > span.To {
		return span, fault.New(fault.Unreachable, errors.New("nothing to compare: no seq is in both streams"),
			"this one: "+held(a.bounds)+"; the other: "+held(b.bounds))
	}
	return span, nil
}

// edgeEntries is how many entries at each end are looked at for the lowest and
// the highest seq: the very first or last may stand out of place.
const edgeEntries = 100

// spanOf is the lowest and the highest seq of a stretch; zero when no entry at
// an end has one.
func spanOf(ctx context.Context, reader *redisstream.Reader, x stretch) (span verify.Span, err error) {
	n := 0
	for s, err := range entriesIn(ctx, reader, x) {
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
	last, err := lastOf(ctx, reader, x)
	for _, s := range last {
		seq, _ := s.Seq()
		span.To = max(span.To, seq)
	}
	return span, err
}

// lastOf is the last entries of a stretch. Where it ends before its stream, the
// seq that follows it, less one, is as good as the highest.
func lastOf(ctx context.Context, reader *redisstream.Reader, x stretch) ([]redisstream.Stored, error) {
	switch {
	case reader.IsSet(): // its span is bounded by what all partitions have reached
		return reader.Last(ctx, edgeEntries)
	case x.open: // what was appended since is not read either
		return reader.Before(ctx, x.to.Next(), edgeEntries)
	}
	s, found, err := reader.Following(ctx, x.to)
	if seq, ok := s.Seq(); ok && found {
		s.Fields = []string{"seq", (seq - 1).String()}
		return []redisstream.Stored{s}, nil
	}
	return nil, err
}

func (r *verifyRun) sideBySide(ctx context.Context, here, there *redisstream.Reader, a, b stretch, span verify.Span) error {
	r.begin(verify.OfPair)
	rules := r.rules()
	rules.Report = r.report.finding
	start, found, err := there.SeekSeq(ctx, span.From)
	if err != nil || !found {
		r.report.abandon()
		return err
	}
	end := b.to
	if !a.open {
		behind, found, err := there.SeekSeq(ctx, span.To+1)
		if err != nil {
			r.report.abandon()
			return err
		}
		if found {
			end = behind.ID
		}
	}
	done := int64(0)
	left := entriesOf(entriesIn(ctx, here, a), func(s redisstream.Stored) {
		if done++; done%drawEach == 0 {
			seq, _ := s.Seq()
			r.report.progress(done, a.fraction(done, s.ID), seq)
		}
	})
	right := entriesOf(theirs(ctx, there, b, start.ID, end), func(redisstream.Stored) {})
	sum, err := verify.Compare(ctx, rules, span, left, right)
	return r.end(ctx, sum, err)
}

// theirs is the part of the other stream that is compared. Of a set it ends where
// all its partitions have come to.
func theirs(ctx context.Context, there *redisstream.Reader, b stretch, from, to redisstream.ID) iter.Seq2[redisstream.Stored, error] {
	if !there.IsSet() {
		return there.Range(ctx, from, to)
	}
	return b.pick(there.UpTo(ctx, from, b.end))
}

func entriesOf(stored iter.Seq2[redisstream.Stored, error], seen func(redisstream.Stored)) iter.Seq2[verify.Entry, error] {
	return func(yield func(verify.Entry, error) bool) {
		for s, err := range stored {
			seen(s)
			if !yield(verify.Entry{ID: string(s.ID), Fields: s.Fields}, err) {
				return
			}
		}
	}
}
