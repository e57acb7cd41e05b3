package spill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
)

var errHungUp = errors.New("hung up")

// rig is a relay that holds frames 1..last and goes on sending, a source over
// it, and a receiver that follows positions as the pipeline does.
type rig struct {
	t      *testing.T
	dir    string
	cfg    Config
	source *Source

	mu     sync.Mutex
	oldest event.Seq    // what the relay still holds
	hole   [2]event.Seq // what it lost of that: from and to
	last   event.Seq    // what it has sent or may send
	wake   chan struct{}
	conns  uint64
	cut    context.CancelCauseFunc
	asked  []event.Position
	alarms []event.Alarm
	held   int64                   // bytes of chunks that were not given back
	far    map[event.Seq]event.Seq // sent in front of a seq: one that is far off
	says   map[event.Seq][]byte    // sent in front of a seq, once: a notice
	heard  int                     // frames without a seq that came to the receiver
	begin  []event.Seq             // what the first connection brings before it ends
	bogus  event.Seq               // what the receiver judges to be false

	at      event.Position // the receiver's
	got     []event.Seq
	storeAt event.Seq // when it comes, everything up to it is stored
	// hungUp is the connection that the receiver closed.
	hungUp uint64
}

func newRig(t *testing.T, last event.Seq) *rig {
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "spill"), last: last, wake: make(chan struct{}), at: event.Position{Start: event.Oldest}}
	r.cfg = Config{Source: r, Dir: r.dir, Owner: Owner{"relay.example", "s", "c"}, MaxBytes: 1 << 30, Memory: 4 << 10,
		Alarm: func(a event.Alarm, _ event.Seq, _ string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.alarms = append(r.alarms, a)
		}}
	return r
}

func (r *rig) open() {
	r.t.Helper()
	r.hungUp = 0 // a new Source numbers anew
	var err error
	if r.source, err = Open(r.cfg); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.source.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// send lets the relay go on up to a seq.
func (r *rig) send(last event.Seq) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = last
	close(r.wake)
	r.wake = make(chan struct{})
}

func (r *rig) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut(errHungUp)
}

// Frames is the relay: an Upstream.
func (r *rig) Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(yield func(*event.Chunk, error) bool) {
		for ctx.Err() == nil {
			at, err := resume(ctx)
			if err != nil {
				if ctx.Err() == nil {
					yield(nil, err)
				}
				return
			}
			conn, cut := context.WithCancelCause(ctx)
			r.mu.Lock()
			r.conns++
			r.cut = cut
			r.asked = append(r.asked, at)
			number, next := r.conns, max(at.Seq+1, r.oldest)
			r.mu.Unlock()
			if !r.connect(conn, number, cut, next, yield) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (r *rig) connect(ctx context.Context, number uint64, cut context.CancelCauseFunc, next event.Seq, yield func(*event.Chunk, error) bool) bool {
	defer cut(nil)
	for ctx.Err() == nil {
		r.mu.Lock()
		last, wake := r.last, r.wake
		r.mu.Unlock()
		if len(r.begin) > 0 {
			c := &event.Chunk{Arrived: time.Now(), Conn: number, Hangup: func(err error) { cut(err) }}
			for _, seq := range r.begin {
				c.Frames = append(c.Frames, event.Frame{Data: made(seq)})
			}
			r.begin = nil
			return yield(c, nil)
		}
		if next > last {
			select {
			case <-wake:
			case <-ctx.Done():
			}
			continue
		}
		c := &event.Chunk{Arrived: time.Now(), Conn: number, Hangup: func(err error) { cut(err) }}
		for range min(7, last-next+1) {
			if r.hole[0] > 0 && next >= r.hole[0] && next <= r.hole[1] {
				next = r.hole[1] + 1
			}
			if next > last {
				break
			}
			if far, odd := r.far[next]; odd {
				c.Frames = append(c.Frames, event.Frame{Data: made(far)})
			}
			if said, does := r.says[next]; does {
				c.Frames = append(c.Frames, event.Frame{Data: said})
				delete(r.says, next)
			}
			raw := made(next)
			c.Buf = append(c.Buf, raw...)
			c.Frames = append(c.Frames, event.Frame{Data: raw})
			next++
		}
		if len(c.Frames) == 0 {
			continue
		}
		r.mu.Lock()
		r.held += int64(len(c.Buf))
		r.mu.Unlock()
		c.Recycle = func(c *event.Chunk) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.held -= int64(len(c.Buf))
		}
		if !yield(c, nil) {
			return false
		}
	}
	return true
}

func made(seq event.Seq) []byte {
	raw, err := frame.Append(nil, &event.Event{Kind: event.KindIdentity, Seq: seq,
		DID: []byte("did:plc:aaaabbbbccccddddeeeeffff"), Time: []byte("2026-01-02T03:04:05Z")})
	if err != nil {
		panic(err)
	}
	return raw
}

// resume is the receiver's answer: everything yielded is accounted for.
func (r *rig) resume(context.Context) (event.Position, error) { return r.at, nil }

// take ranges until pause says so, or ctx ends; each seq must follow the last.
func (r *rig) take(ctx context.Context, each func(seq event.Seq, c *event.Chunk) bool) {
	r.t.Helper()
	for c, err := range r.source.Frames(ctx, r.resume) {
		if err != nil {
			r.t.Fatal(err)
		}
		for _, f := range c.Frames {
			seq, ok := frame.PeekSeq(f.Data)
			if !ok {
				r.heard++
			}
			if !ok || seq == r.bogus || seq <= r.at.Seq || c.Conn == r.hungUp {
				continue // the pipeline drops repeats, and what follows on a connection it closed
			}
			if seq != r.at.Seq+1 {
				r.t.Fatalf("seq %d follows %d", seq, r.at.Seq)
			}
			if !bytes.Equal(f.Data, made(seq)) {
				r.t.Fatalf("the frame of seq %d is not what the relay sent", seq)
			}
			r.at = event.AfterSeq(seq)
			r.got = append(r.got, seq)
			if !each(seq, c) {
				return
			}
		}
		c.Release()
	}
}

func (r *rig) files() (names []string) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if _, _, ok := parseName(e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	return names
}

// A receiver that stops taking fills the disk, not memory, and gets everything
// in order; then the disk is out of the way again.
func TestSpillsWhileNothingIsTakenAndFlowsBack(t *testing.T) {
	r := newRig(t, 20)
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		ctx, stop := context.WithCancel(t.Context())
		r.take(ctx, func(seq event.Seq, c *event.Chunk) bool {
			switch seq {
			case 20:
				r.send(5000)
				time.Sleep(time.Minute) // the sink hangs
				if n, _ := r.source.Usage(); n == 0 {
					t.Error("nothing is on disk")
				}
				r.mu.Lock()
				if r.held == 0 || r.held > 2*r.cfg.Memory {
					t.Errorf("%d bytes are held in memory", r.held)
				}
				r.mu.Unlock()
			case 3000:
				r.source.Stored(2000)
			case 5000:
				r.source.Stored(5000)
				r.send(5100)
			case 5100:
				r.source.Stored(5100)
				stop()
				return false
			}
			return true
		})
		if files := r.files(); len(files) > 0 {
			t.Errorf("left on disk: %v", files)
		}
		r.close()
	})
	if len(r.got) != 5100 {
		t.Errorf("%d frames came", len(r.got))
	}
}

// Whenever a process dies, the next one goes on from the cursor: from the relay
// up to the island, from disk, and from the relay again. What the relay no
// longer holds is on disk.
func TestRestartsAnywhereAreExact(t *testing.T) {
	t.Parallel()
	seeds := uint64(8)
	if os.Getenv("FHCTL_NIGHTLY") != "" {
		seeds = 100
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			r := newRig(t, 10)
			r.cfg.SegmentBytes = 1 + rng.Int64N(4000)
			synctest.Test(t, func(t *testing.T) {
				r.wake = make(chan struct{})
				for run := range 6 {
					r.open()
					ctx, stop := context.WithCancel(t.Context())
					n, stall, hang, end := 0, 5+rng.IntN(200), rng.IntN(600), 50+rng.IntN(900)
					r.take(ctx, func(seq event.Seq, c *event.Chunk) bool {
						switch n++; n {
						case stall:
							r.send(seq + 100 + event.Seq(rng.IntN(800)))
							time.Sleep(5 * time.Second)
							if rng.IntN(2) == 0 {
								r.drop()
								time.Sleep(5 * time.Second)
								r.send(r.last + 50)
								time.Sleep(5 * time.Second)
							}
						case hang:
							r.hungUp = c.Conn
							c.Hangup(errHungUp)
							r.at = event.AfterSeq(seq - 1 - min(seq-1, event.Seq(rng.IntN(3))))
							return true
						}
						if n >= end {
							stop()
							return false
						}
						if rng.IntN(50) == 0 {
							r.source.Stored(seq)
						}
						if seq == r.last {
							r.send(seq + 20)
						}
						return true
					})
					stop()
					// Dying forgets what was read behind the cursor.
					r.at = event.AfterSeq(max(r.source.disk.acked, r.at.Seq-event.Seq(rng.IntN(300))))
					if run%2 == 1 {
						tear(t, r.dir, rng)
					}
					r.close()
				}
			})
		})
	}
}

// What was handed on is kept until it is stored: a process that dies between has
// it still, though the relay does not.
func TestKeepsWhatIsNotStored(t *testing.T) {
	r := newRig(t, 20)
	r.cfg.SegmentBytes = 1000
	var first segment
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
			if seq == 20 {
				r.send(3000)
				time.Sleep(time.Minute)
				first, _, _ = parseName(r.files()[0])
			}
			return seq < 2500
		})
		r.close()
		r.at, r.oldest = event.AfterSeq(first.prev), 3001
		r.open()
		r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool { return seq < 3000 })
		r.close()
	})
}

// tear cuts the newest file short, as a crash of the machine may.
func tear(t *testing.T, dir string, rng *rand.Rand) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "0*"))
	if err != nil || len(names) == 0 {
		return
	}
	slices.Sort(names)
	name := names[len(names)-1]
	if info, err := os.Stat(name); err == nil && info.Size() > 0 {
		_ = os.Truncate(name, rng.Int64N(info.Size()))
	}
}

// At its limit the stage stops reading, says so once, and goes on when segments
// are stored.
func TestOverTheLimitIsBackpressure(t *testing.T) {
	r := newRig(t, 20)
	r.cfg.MaxBytes, r.cfg.SegmentBytes = 4000, 800
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
			switch {
			case seq == 20:
				r.send(4000)
				time.Sleep(time.Hour)
				if n, _ := r.source.Usage(); n > r.cfg.MaxBytes || n < r.cfg.MaxBytes/2 {
					t.Errorf("%d bytes on disk", n)
				}
				if len(r.alarms) != 1 || r.alarms[0] != event.AlarmSpillFull {
					t.Errorf("alarms %v", r.alarms)
				}
			case seq%100 == 0:
				r.source.Stored(seq)
			}
			return seq < 4000
		})
		r.close()
	})
	if len(r.got) != 4000 {
		t.Errorf("%d frames came", len(r.got))
	}
}

func TestDirectoryHasOneUserAndOneOwner(t *testing.T) {
	r := newRig(t, 0)
	r.open()
	_, err := Open(r.cfg)
	if fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), "another process uses") {
		t.Errorf("a second process: %v", err)
	}
	r.close()
	other := r.cfg
	other.Owner.Relay = "elsewhere.example"
	s, err := Open(other) // nothing is left in it
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if err := os.WriteFile(filepath.Join(r.dir, "000000000001-5-9.fhz"), make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(r.cfg); fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), "elsewhere.example") {
		t.Errorf("another owner's frames: %v", err)
	}
	if err := os.Chmod(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other); fault.ClassOf(err) != fault.Usage {
		t.Errorf("a directory that others read: %v", err)
	}
}

func FuzzParseName(f *testing.F) {
	for _, name := range []string{"000000000001-5-9.fhz", "000000000001-5.partial", "lock", "-1-2.fhz", "000000000001-99999999999999999-9.fhz"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, open, ok := parseName(name)
		if ok && !open && s.complete() != name && fmt.Sprintf("%012d", s.number) == name[:12] {
			// Leading zeros of a seq are the one other spelling.
			if again, _, ok := parseName(s.complete()); !ok || again.number != s.number || again.prev != s.prev || again.last != s.last {
				t.Errorf("%q reads as %+v", name, s)
			}
		}
	})
}
