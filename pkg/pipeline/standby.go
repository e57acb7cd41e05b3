package pipeline

import (
	"context"
	"slices"
	"sync"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// standby puts aside what is read while another process stores it. Nothing of
// it is decoded or judged: whatever is wrong with a connection is the leader's
// to find on its own, and ours once we lead.
type standby struct {
	mu      sync.Mutex
	flowing bool // we lead: chunks pass through
	ended   bool // the reader is gone: nothing may pass
	stale   bool // the connection does not reach back to where we lead from

	at     event.Position // where to connect
	cursor event.Seq      // where the leader was when last asked; 0 before
	aside  []putAside
	bytes  int64
	last   event.Seq // highest seq read
	absent event.Seq // events up to here may not be at hand, those above are
	hangup func(error)
}

// putAside is a chunk and the highest seq up to its end.
type putAside struct {
	*event.Chunk
	last event.Seq
}

// everything is absent on a connection that began live and has sent nothing: it
// is not known what it did not send.
const everything = event.MaxSeq

// connect is asked before each dial. While standing by it answers where to; what
// the former connection sent will come again.
func (s *standby) connect() (at event.Position, standing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale, s.hangup = false, nil
	if s.flowing {
		return at, false
	}
	s.drop(len(s.aside))
	s.last, s.absent = s.at.Seq, s.at.Seq
	if s.at.Start == event.Live {
		s.absent = everything
	}
	return s.at, true
}

// put keeps a chunk, and lets the oldest go beyond limit bytes.
func (s *standby) put(chunk *event.Chunk, limit int64) {
	s.hangup = chunk.Hangup
	for i := range chunk.Frames {
		seq, ok := frame.PeekSeq(chunk.Frames[i].Data)
		if !ok {
			continue
		}
		if s.absent == everything {
			s.absent = seq - 1
		}
		s.last = max(s.last, seq)
	}
	s.aside = append(s.aside, putAside{chunk, s.last})
	s.bytes += size(chunk)
	n := 0
	for over := s.bytes - limit; over > 0; n++ {
		over -= size(s.aside[n].Chunk)
	}
	s.drop(n)
}

// size is the memory a chunk holds, not what is in it.
func size(chunk *event.Chunk) int64 { return int64(cap(chunk.Buf)) }

// drop gives the oldest n chunks back.
func (s *standby) drop(n int) {
	for _, c := range s.aside[:n] {
		s.bytes -= size(c.Chunk)
		if s.absent != everything {
			s.absent = max(s.absent, c.last)
		}
		c.Release()
	}
	s.aside = slices.Delete(s.aside, 0, n)
}

// stored drops what the leader has stored, and remembers where that ends.
func (s *standby) stored(cursor event.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cursor == 0 {
		return
	}
	// Who was asked to begin live does, unless others have gone on.
	if s.at.Start != event.Live || s.cursor > 0 && s.cursor != cursor {
		s.at = event.AfterSeq(cursor)
	}
	s.cursor = cursor
	n := 0
	for n < len(s.aside) && s.aside[n].last <= cursor {
		n++
	}
	s.drop(n)
}

// reaches reports whether what is at hand continues from a position.
func (s *standby) reaches(at event.Position) bool {
	return at.Start == event.Live || s.absent <= at.Seq
}

// pass takes a chunk from the source; false means that ctx ended.
func (g *generation) pass(ctx context.Context, chunk *event.Chunk) bool {
	s := &g.standby
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stale:
		if chunk.Hangup != nil {
			chunk.Hangup(event.ErrTakeOver)
		}
		chunk.Release()
		return true
	case s.flowing:
		return g.submit(ctx, chunk)
	}
	s.put(chunk, g.cfg.QueueBytes)
	return true
}

// flow lets the pipeline run from a position: first what was put aside, if that
// continues from there; otherwise the source has to connect again.
func (g *generation) flow(ctx context.Context, at event.Resume) {
	s := &g.standby
	s.mu.Lock()
	defer s.mu.Unlock()
	g.at = at
	g.acked.Store(int64(at.Position.Seq))
	g.placed.Store(int64(at.Position.Seq))
	s.flowing = true
	close(g.flowing)
	if s.stale = !s.reaches(at.Position); s.stale {
		s.drop(len(s.aside))
		if s.hangup != nil {
			s.hangup(event.ErrTakeOver)
		}
	}
	for _, c := range s.aside {
		if s.ended || !g.submit(ctx, c.Chunk) {
			break // it is behind the cursor, and will be read again
		}
	}
	s.aside, s.bytes = nil, 0
}

// endReading closes the queues, once nobody is putting anything into them.
func (g *generation) endReading() {
	s := &g.standby
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(len(s.aside))
	if s.ended = true; g.ended != nil && !s.flowing {
		g.stopReading() // nobody will lead what has ended
	}
	close(g.ordered)
	close(g.todo)
}
