package relay

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// TestMain fails when a goroutine outlives its iterator.
func TestMain(m *testing.M) { os.Exit(relaytest.Run(m)) }

// follower ranges over a source in the background and records what it meets.
// It resumes behind the highest seq it has seen, as a pipeline does.
type follower struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	moved  chan struct{}
	at     event.Position
	seqs   []event.Seq // as they came, repeats too
	frames []event.Frame
	conns  []uint64 // of each frame
	links  []event.Link
	alarms []string
	err    error
	// onChunk runs on the ranging goroutine, without the lock; false
	// breaks the loop.
	onChunk func(*event.Chunk) bool
}

// settings are fast enough for tests; cfg overrides them.
func settings(t *testing.T, url string, cfg Config) Config {
	t.Helper()
	endpoint, err := ParseURL(url, false)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Endpoint = endpoint
	orDefault(&cfg.BackoffMin, time.Millisecond)
	orDefault(&cfg.BackoffMax, 5*time.Millisecond)
	return cfg
}

func follow(t *testing.T, url string, from event.Position, cfg Config, onChunk func(*event.Chunk) bool) *follower {
	t.Helper()
	return followEndpoint(t, settings(t, url, cfg).Endpoint, from, cfg, onChunk)
}

func followEndpoint(t *testing.T, endpoint Endpoint, from event.Position, cfg Config, onChunk func(*event.Chunk) bool) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{t: t, cancel: cancel, done: make(chan struct{}), moved: make(chan struct{}), at: from, onChunk: onChunk}
	cfg.Endpoint = endpoint
	orDefault(&cfg.BackoffMin, time.Millisecond)
	orDefault(&cfg.BackoffMax, 5*time.Millisecond)
	cfg.Notify = func(l event.Link) { f.change(func() { f.links = append(f.links, l) }) }
	cfg.Alarm = func(a event.Alarm, _ event.Seq, detail string) {
		f.change(func() { f.alarms = append(f.alarms, a.String()+": "+detail) })
	}
	go f.run(ctx, New(cfg))
	t.Cleanup(f.stop)
	return f
}

func (f *follower) run(ctx context.Context, s *Source) {
	defer close(f.done)
	resume := func(context.Context) (event.Position, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.at, nil
	}
	for chunk, err := range s.Frames(ctx, resume) {
		if err != nil {
			f.change(func() { f.err = err })
			continue
		}
		f.change(func() { f.record(chunk) })
		more := f.onChunk == nil || f.onChunk(chunk)
		chunk.Release()
		if !more {
			return
		}
	}
}

func (f *follower) record(chunk *event.Chunk) {
	for _, frame := range chunk.Frames {
		if seq := relaytest.Seq(frame.Data); seq > 0 {
			f.seqs = append(f.seqs, seq)
			if f.at.Start != event.After || seq > f.at.Seq {
				f.at = event.AfterSeq(seq)
			}
		}
		frame.Data = slices.Clone(frame.Data)
		f.frames, f.conns = append(f.frames, frame), append(f.conns, chunk.Conn)
	}
}

func (f *follower) change(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
	close(f.moved)
	f.moved = make(chan struct{})
}

// until waits for a condition on what was recorded.
func (f *follower) until(what string, holds func() bool) {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		f.mu.Lock()
		ok, moved := holds(), f.moved
		f.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-moved:
		case <-deadline:
			f.stop()
			f.t.Fatalf("waited in vain until %s: seqs %v, links %+v", what, tail(f.seqs), tail(f.links))
		}
	}
}

func tail[T any](s []T) []T { return s[max(0, len(s)-6):] }

func (f *follower) untilSeq(seq event.Seq) {
	f.t.Helper()
	f.until("seq "+seq.String()+" came", func() bool { return slices.Contains(f.seqs, seq) })
}

// untilEnd waits for the iterator to end by itself.
func (f *follower) untilEnd() {
	f.t.Helper()
	select {
	case <-f.done:
	case <-time.After(20 * time.Second):
		f.t.Fatal("the iterator did not end")
	}
}

func (f *follower) stop() {
	f.cancel()
	<-f.done
}

// causes are the words of all breaks so far. Call it after stop or inside
// until.
func (f *follower) causes() []string {
	var words []string
	for _, l := range f.links {
		if l.State == event.LinkDown {
			words = append(words, l.Cause)
		}
	}
	return words
}

// wantExact checks that every seq from first to last came, in order once
// repeats are dropped (Q2).
func (f *follower) wantExact(first, last event.Seq) {
	f.t.Helper()
	next := first
	for _, seq := range f.seqs {
		if seq > next {
			f.t.Fatalf("seq %d came where %d was due", seq, next)
		}
		if seq == next {
			next++
		}
	}
	if next != last+1 {
		f.t.Fatalf("ended before seq %d, want up to %d", next, last)
	}
}

// relay serves identity frames 1 to last with faults.
func relay(t *testing.T, last event.Seq, faults string) (*relayserver.Server, *relayserver.MemoryLog) {
	t.Helper()
	log := relaytest.Log(t, 1, last)
	return relaytest.Start(t, relayserver.Config{Log: log, Faults: relaytest.Faults(t, faults)}), log
}

var oldest = event.Position{Start: event.Oldest}

func resumeOldest(context.Context) (event.Position, error) { return oldest, nil }
