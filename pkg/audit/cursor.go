package audit

import (
	"context"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/verify"
	"github.com/fhctl/fhctl/pkg/wait"
)

// patience is how long a cursor ahead of the stream may have to wait for the
// entry that explains it, while a writer is at work: its last events may have
// yielded none.
const (
	patience = 2 * time.Second
	pause    = 100 * time.Millisecond
)

// cursor compares the cursor with the last entry, in each partition of a set: there
// the cursor runs ahead of the last entry by right, where the writer noted it.
func (a *audit) cursor(ctx context.Context, stream *reader.Reader, check *verify.Stream) error {
	if !stream.IsSet() {
		return a.oneCursor(ctx, stream, check.Cursor)
	}
	for _, part := range stream.Partitions() {
		if err := a.oneCursor(ctx, part, check.PartitionCursor); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) oneCursor(ctx context.Context, stream *reader.Reader, judge func(verify.Cursor) verify.Cursor) error {
	for until := time.Now().Add(patience); ; {
		c, live, err := readCursor(ctx, stream)
		if err != nil {
			return err
		}
		before, ok := event.ParseSeq(c.Before)
		unnoted := c.Filtered && c.Upto == 0
		if ahead := ok && before > c.Last.Seq; !ahead || unnoted || c.Explained() || !live || time.Now().After(until) {
			c.Fix = a.CursorFix
			c = judge(c)
			a.summary.Cursor = &c
			return nil
		}
		if err := wait.For(ctx, pause); err != nil {
			return err
		}
	}
}

// readCursor reads the cursor on both sides of the last entry. live tells that
// a writer is at work.
func readCursor(ctx context.Context, stream *reader.Reader) (c verify.Cursor, live bool, err error) {
	first, err := stream.Cursor(ctx)
	if err != nil {
		return c, false, err
	}
	last, err := stream.LastHeads(ctx, 1)
	if err != nil {
		return c, false, err
	}
	second, err := stream.Cursor(ctx)
	if err != nil {
		return c, false, err
	}
	c = verify.Cursor{Key: stream.CursorKey(), Present: second.Present, Before: first.Raw, After: second.Raw}
	if !first.Present {
		c.Before = c.After
	}
	filter := second.Side.Filter
	c.Filtered = filter != "" && filter != "none"
	c.Stored, c.Upto, c.StoredBefore = event.Seq(second.Side.Stored), event.Seq(second.Side.Upto), event.Seq(first.Side.Stored)
	if len(last) > 0 {
		seq, _ := last[0].Seq()
		c.Last = verify.Mark{Seq: seq, ID: string(last[0].ID)}
	}
	return c, second.Status.Present && second.Status.Connected, nil
}
