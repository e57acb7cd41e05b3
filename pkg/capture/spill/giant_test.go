package spill

import (
	"bytes"
	"context"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// giants is an upstream of giant frames with memory for one, as a relay source is.
type giants struct {
	frames [][]byte
	memory chan []byte
	sent   int
}

func newGiants(n int) *giants {
	g := &giants{}
	rng := rand.NewChaCha8([32]byte{})
	for i := range n {
		noise := make([]byte, 1_100_000+i*3_800_000/n)
		_, _ = rng.Read(noise)
		g.frames = append(g.frames, relaytest.Frame("#identity", map[string]any{"seq": i + 1, "did": "did:plc:aaaabbbbccccddddeeeeffff", "time": "t", "other": noise}))
	}
	return g
}

func (g *giants) Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(yield func(*event.Chunk, error) bool) {
		at, err := resume(ctx)
		if err != nil {
			return
		}
		for next := int(at.Seq); next < len(g.frames); next++ {
			var buf []byte
			select {
			case buf = <-g.memory:
			case <-ctx.Done():
				return
			}
			c := &event.Chunk{Conn: 1, Arrived: time.Now(), Buf: append(buf, g.frames[next]...)}
			c.Frames = []event.Frame{{Data: c.Buf}}
			c.Recycle = func(c *event.Chunk) { g.memory <- c.Buf[:0] }
			g.sent = next + 1
			if !yield(c, nil) {
				return
			}
		}
		<-ctx.Done()
	}
}

// G5: a receiver that keeps a giant frame does not keep the upstream's memory for the next
// one, so that those go to disk; and from there they come one at a time, in one memory.
func TestGiantFramesGoToDiskWhileOneIsKept(t *testing.T) {
	const n = 9
	g := newGiants(n)
	cfg := Config{Source: g, Dir: t.TempDir() + "/spill", Owner: Owner{"relay.example", "s", "c"}, MaxBytes: 1 << 30,
		Alarm: func(a event.Alarm, _ event.Seq, detail string) { t.Errorf("alarm %s: %s", a, detail) }}
	synctest.Test(t, func(t *testing.T) {
		g.memory = make(chan []byte, 1) // here, so that waiting for it is known to synctest
		g.memory <- make([]byte, 0, 6<<20)
		source, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		at := event.Position{Start: event.Oldest}
		var kept atomic.Bool
		for c, err := range source.Frames(ctx, func(context.Context) (event.Position, error) { return at, nil }) {
			if err != nil {
				t.Fatal(err)
			}
			seq, _ := frame.PeekSeq(c.Frames[0].Data)
			if len(c.Frames) != 1 || seq != at.Seq+1 || !bytes.Equal(c.Frames[0].Data, g.frames[seq-1]) {
				t.Fatalf("%d frames, the first of seq %s, behind seq %s", len(c.Frames), seq, at.Seq)
			}
			if kept.Swap(true) {
				t.Errorf("seq %s came while seq %s was kept", seq, at.Seq)
			}
			at = event.AfterSeq(seq)
			if seq == 1 {
				time.Sleep(time.Minute) // the sink hangs
				if g.sent != n {
					t.Errorf("%d giant frames were read while one was kept, want %d", g.sent, n)
				}
			}
			if seq == n {
				c.Release()
				break
			}
			time.AfterFunc(time.Second, func() { kept.Store(false); c.Release() })
		}
		if at.Seq != n {
			t.Errorf("it ended at seq %s", at.Seq)
		}
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
}
