package sinktest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// Memory is a Store in memory and, at the same time, the sink of everybody who opens
// it. The zero Memory is empty.
type Memory struct {
	mu     sync.Mutex
	cursor event.Seq
	known  bool // there is a cursor
	seqs   []event.Seq
	again  bool // the cursor went back: what lies above it may be stored
}

// Open gives the Memory itself.
func (m *Memory) Open(testing.TB) pipeline.Sink { return m }

// Stored is the seqs of all entries.
func (m *Memory) Stored(testing.TB) []event.Seq {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.seqs)
}

// Resume tells where to go on.
func (m *Memory) Resume(context.Context) (event.Resume, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.known {
		return event.Resume{Why: "nothing is stored"}, nil
	}
	return event.Resume{Position: event.AfterSeq(m.cursor), Why: "what is stored"}, nil
}

// Commit stores batches that continue where the store is. Entries and cursor change
// together: this is what makes a sink exact.
func (m *Memory) Commit(ctx context.Context, batches []*event.Batch) (receipts []event.Receipt, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range batches {
		if m.known && b.After != event.AfterSeq(m.cursor) {
			return receipts, &event.Moved{To: event.AfterSeq(m.cursor), Alarm: event.AlarmConflict, Detail: "the batch does not follow"}
		}
		for i := range b.Entries {
			if !m.again || !slices.Contains(m.seqs, b.Entries[i].Seq) {
				m.seqs = append(m.seqs, b.Entries[i].Seq)
			}
		}
		m.cursor, m.known = b.Upto, true
		receipts = append(receipts, event.Receipt{Appended: len(b.Entries), Cursor: b.Upto, Length: int64(len(m.seqs))})
	}
	return receipts, nil
}

// Poll is the cursor.
func (m *Memory) Poll(context.Context) (seq event.Seq, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursor, m.known, nil
}

// Return moves the cursor back. What is stored above it is not stored again.
func (m *Memory) Return(_ context.Context, seq event.Seq) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cursor, m.again = seq, true
	return nil
}

// Rebase moves the cursor.
func (m *Memory) Rebase(_ context.Context, seq event.Seq) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cursor, m.known, m.again = seq, true, false
	return nil
}
