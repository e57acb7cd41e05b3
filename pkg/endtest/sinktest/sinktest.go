package sinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// Store is where the sinks of one test store. It begins empty.
type Store interface {
	// Open opens a sink on it, as another process would. What it needs is released at
	// the end of the test.
	Open(t testing.TB) pipeline.Sink
	// Stored is the seqs of all entries in the order in which they were stored. A store
	// of several streams checks the order in each, and gives all seqs in ascending order.
	Stored(t testing.TB) []event.Seq
}

// most is how long one call of a sink may take before the test fails.
const most = 30 * time.Second

// Run asks everything of the sinks of stores that fresh gives.
func Run(t *testing.T, fresh func(t *testing.T) Store) {
	for name, test := range map[string]func(*trial){
		"an empty store":          (*trial).empty,
		"batches in order":        (*trial).inOrder,
		"positions alone":         (*trial).positions,
		"another process goes on": (*trial).goesOn,
		"repeats":                 (*trial).repeats,
		"a gap":                   (*trial).gap,
		"a new numbering":         (*trial).renumbered,
		"a false number is left":  (*trial).returned,
		"a commit that is ended":  (*trial).ended,
	} {
		t.Run(name, func(t *testing.T) { test(&trial{T: t, store: fresh(t)}) })
	}
}

// trial is one test on one store.
type trial struct {
	*testing.T
	store Store
}

func (r *trial) context() context.Context {
	ctx, stop := context.WithTimeout(r.Context(), most)
	r.Cleanup(stop)
	return ctx
}

// begin opens a sink and asks where to go on.
func (r *trial) begin() (pipeline.Sink, event.Position) {
	r.Helper()
	sink := r.store.Open(r.T)
	at, err := sink.Resume(r.context())
	if err != nil {
		r.Fatalf("Resume: %v", err)
	}
	return sink, at.Position
}

// commit must succeed.
func (r *trial) commit(sink pipeline.Sink, batches ...*event.Batch) {
	r.Helper()
	receipts, err := sink.Commit(r.context(), batches)
	if err != nil || len(receipts) != len(batches) {
		r.Fatalf("Commit of %d batches gives %d receipts and %v", len(batches), len(receipts), err)
	}
	for i, b := range batches {
		if got := receipts[i]; got.Appended+got.Present != len(b.Entries) || got.Cursor != b.Upto {
			r.Errorf("the receipt of a batch of %d up to %s is %+v", len(b.Entries), b.Upto, got)
		}
	}
}

// want compares what is stored, and the cursor, which another process sees as well.
func (r *trial) want(cursor event.Seq, seqs ...event.Seq) {
	r.Helper()
	if got := r.store.Stored(r.T); !slices.Equal(got, seqs) {
		r.Errorf("stored is %v, want %v", got, seqs)
	}
	sink := r.store.Open(r.T)
	if seq, ok, err := sink.Poll(r.context()); err != nil || !ok || seq != cursor {
		r.Errorf("the cursor is %s, %t, %v, want %s", seq, ok, err, cursor)
	}
}

func (r *trial) empty() {
	sink, at := r.begin()
	if at.Start == event.After {
		r.Errorf("an empty store goes on at %s", at)
	}
	if seq, ok, err := sink.Poll(r.context()); ok || err != nil {
		r.Errorf("an empty store has a cursor: %s, %v", seq, err)
	}
}

func (r *trial) inOrder() {
	sink, at := r.begin()
	r.commit(sink, Batch(at, 1, 2, 3))
	r.commit(sink, Batch(event.AfterSeq(3), 5), Batch(event.AfterSeq(5), 8, 9), Batch(event.AfterSeq(9), 10))
	r.want(10, 1, 2, 3, 5, 8, 9, 10)
}

// positions: events that yield no entry move the cursor all the same.
func (r *trial) positions() {
	sink, at := r.begin()
	r.commit(sink, Batch(at, 1, 2), upTo(Batch(event.AfterSeq(2)), 7), upTo(Batch(event.AfterSeq(7), 8), 12))
	r.want(12, 1, 2, 8)
}

func (r *trial) goesOn() {
	sink, at := r.begin()
	r.commit(sink, Batch(at, 1, 2, 3))
	for seq := event.Seq(4); seq < 8; seq++ {
		sink, at = r.begin()
		if at != event.AfterSeq(seq-1) {
			r.Fatalf("it goes on at %s, want behind %s", at, seq-1)
		}
		r.commit(sink, Batch(at, seq))
	}
	r.want(7, 1, 2, 3, 4, 5, 6, 7)
}

// repeats: of two processes that read the same one stores each event; the other is
// told that it is there, or that it must begin elsewhere (G2).
func (r *trial) repeats() {
	first, at := r.begin()
	r.commit(first, Batch(at, 1, 2))
	second, _ := r.begin()
	r.commit(first, Batch(event.AfterSeq(2), 3, 4))
	_, err := second.Commit(r.context(), []*event.Batch{Batch(event.AfterSeq(2), 3, 4)})
	if !isMoved(err) && err != nil {
		r.Errorf("the second process hears %v", err)
	}
	r.want(4, 1, 2, 3, 4)
}

// gap: what does not follow is not stored (G1).
func (r *trial) gap() {
	sink, at := r.begin()
	r.commit(sink, Batch(at, 1, 2))
	if _, err := sink.Commit(r.context(), []*event.Batch{Batch(event.AfterSeq(5), 6)}); !isMoved(err) {
		r.Errorf("a batch behind a gap gives %v", err)
	}
	r.want(2, 1, 2)
}

// renumbered: a smaller numbering is stored behind the one before it (Q7).
func (r *trial) renumbered() {
	sink, at := r.begin()
	r.commit(sink, Batch(at, 101, 102))
	if err := sink.Rebase(r.context(), 4); err != nil {
		r.Fatalf("Rebase: %v", err)
	}
	sink, at = r.begin()
	if at != event.AfterSeq(4) {
		r.Fatalf("it goes on at %s, want behind 4", at)
	}
	r.commit(sink, Batch(at, 5, 6))
	if got := slices.Sorted(slices.Values(r.store.Stored(r.T))); !slices.Equal(got, []event.Seq{5, 6, 101, 102}) {
		r.Errorf("stored is %v", got)
	}
}

// returned: a process goes back over what it stored, since a number was false. What lies
// between is stored, and what is there already is not stored twice, whoever goes on (G2).
func (r *trial) returned() {
	sink, at := r.begin()
	r.commit(sink, Batch(at, 1, 2))
	r.commit(sink, Batch(event.AfterSeq(2), 6, 7))
	if err := sink.Return(r.context(), 2); err != nil {
		r.Fatalf("Return: %v", err)
	}
	r.commit(sink, Batch(event.AfterSeq(2), 3))
	for _, seqs := range [][]event.Seq{{4, 5, 6}, {7, 8}, {9}} {
		sink, at = r.begin()
		if at != event.AfterSeq(seqs[0]-1) {
			r.Fatalf("it goes on at %s, want behind %d", at, seqs[0]-1)
		}
		r.commit(sink, Batch(at, seqs...))
	}
	got := r.store.Stored(r.T)
	slices.Sort(got)
	if want := []event.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
		r.Errorf("stored is %v, want %v", got, want)
	}
}

// ended: a commit that was given up is stored as a whole or not at all, and the next
// process stores what is missing.
func (r *trial) ended() {
	sink, at := r.begin()
	r.commit(sink, Batch(at, 1, 2))
	ctx, stop := context.WithCancel(r.Context())
	stop()
	_, _ = sink.Commit(ctx, []*event.Batch{Batch(event.AfterSeq(2), 3, 4)})
	sink, at = r.begin()
	for seq := at.Seq + 1; seq <= 5; seq++ {
		r.commit(sink, Batch(event.AfterSeq(seq-1), seq))
	}
	r.want(5, 1, 2, 3, 4, 5)
}

func isMoved(err error) bool {
	_, ok := errors.AsType[*event.Moved](err)
	return ok
}

// Batch is commits with these seqs, each of an account of its own, behind a position.
func Batch(after event.Position, seqs ...event.Seq) *event.Batch {
	b := new(event.Batch)
	b.Reset(after)
	b.Upto = after.Seq
	for _, seq := range seqs {
		b.Add(seq, event.KindCommit, fmt.Appendf(nil, `{"repo":"did:plc:a%d","ops":[]}`, seq))
	}
	b.Time = append(b.Time, "2026-01-02T03:04:05Z"...)
	return b
}

func upTo(b *event.Batch, seq event.Seq) *event.Batch {
	b.Upto = seq
	return b
}
