package relay

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

func TestC9LimitIsExact(t *testing.T) {
	frame := relaytest.Identity(2) // as long as its neighbours
	for limit, passes := range map[int]bool{len(frame): true, len(frame) - 1: false} {
		server, _ := relay(t, 3, "")
		f := follow(t, server.URL(), oldest, Config{MaxMessage: limit}, nil)
		if passes {
			f.untilSeq(2)
		} else {
			f.until("the connection ended", func() bool { return slices.Contains(f.causes(), causeOversize) })
		}
		f.stop()
	}
}

func TestC9OversizedIsPassedOverTheThirdTime(t *testing.T) {
	server, _ := relay(t, 6, "oversize@4*9:300000")
	f := follow(t, server.URL(), oldest, Config{MaxMessage: 200_000}, nil)
	f.untilSeq(6)
	f.stop()
	f.wantExact(1, 6)
	if got := f.causes(); !slices.Equal(got, []string{causeOversize, causeOversize, causeStopped}) {
		t.Errorf("causes %v, want two broken connections and one that passes", got)
	}
	i := slices.IndexFunc(f.frames, func(fr event.Frame) bool { return fr.Fault == event.ReasonOversize })
	if i != 3 || len(f.frames) != 7 || len(f.frames[i].Data) != oversizeKept {
		t.Errorf("the oversized frame is number %d of %d", i, len(f.frames))
	}
	if len(f.alarms) != 0 {
		t.Errorf("alarms %q", f.alarms)
	}
}

func TestC9BeyondTheHardLimitRaisesAnAlarm(t *testing.T) {
	// One message whose header declares 2^62 bytes: nothing may be
	// allocated for it, and no attempt gets past it.
	url := answering(t, declaring(1<<62))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f := follow(t, url, oldest, Config{}, nil)
	f.until("the alarm", func() bool { return len(f.alarms) > 0 })
	f.stop()
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
		t.Errorf("allocated %d bytes", grown)
	}
	if !strings.HasPrefix(f.alarms[0], "repeated_close: ") || len(f.alarms) != 1 {
		t.Errorf("alarms %q", f.alarms)
	}
}

// declaring upgrades by hand and sends the head of one large message.
func declaring(size uint64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write(binary.BigEndian.AppendUint64(append(upgraded(r), 0x82, 127), size))
		_, _ = io.Copy(io.Discard, conn) // until the client goes
	}
}

// upgraded is the answer that makes r a websocket.
func upgraded(r *http.Request) []byte {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
}

// sized is a log of n frames of size bytes that has ended.
func sized(t testing.TB, n, size int) *relayserver.MemoryLog {
	t.Helper()
	log := relayserver.NewMemoryLog(0)
	frame := bytes.Repeat([]byte{0xa0}, size)
	for seq := event.Seq(1); seq <= event.Seq(n); seq++ {
		if err := log.Append(seq, frame); err != nil {
			t.Fatal(err)
		}
	}
	return log
}

func TestMessagesCostNoLargeAllocation(t *testing.T) {
	const n, size = 20_000, 5400
	server := relaytest.Start(t, relayserver.Config{Log: sized(t, n, size)})
	s := New(settings(t, server.URL(), Config{}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	drain(t, s, n)
	runtime.ReadMemStats(&after)
	// Both ends run in this process; two chunks, the buffers, and what the
	// websocket library allocates per message are all there is.
	if each := (after.TotalAlloc - before.TotalAlloc) / n; each > size/10 {
		t.Errorf("%d bytes allocated per message of %d", each, size)
	} else {
		t.Logf("%d bytes allocated per message of %d", each, size)
	}
}

// drain reads n frames and discards them.
func drain(t testing.TB, s *Source, n int) {
	t.Helper()
	for chunk, err := range s.Frames(t.Context(), resumeOldest) {
		if err != nil {
			t.Fatal(err)
		}
		n -= len(chunk.Frames)
		chunk.Release()
		if n <= 0 {
			return
		}
	}
}

func TestLargeChunksAreNotKept(t *testing.T) {
	s := New(Config{})
	large := &event.Chunk{Buf: make([]byte, 0, maxPooled+1)}
	s.recycle(large)
	if len(s.free) != 0 {
		t.Error("the pool kept a large chunk")
	}
	outgrown := make([]byte, 10)
	small := &event.Chunk{Buf: make([]byte, 0, 10), Frames: []event.Frame{{Data: outgrown}}}
	s.recycle(small)
	if kept := small.Frames[:1]; kept[0].Data != nil {
		t.Error("a pooled chunk keeps memory that it outgrew")
	}
}

// G5: who keeps chunks keeps about as much memory as their frames take, and what a
// Source keeps for reuse is bounded in bytes.
func TestChunksAreAboutAsLargeAsTheirFrames(t *testing.T) {
	const n, size = 20, 1_500_000
	server := relaytest.Start(t, relayserver.Config{Log: sized(t, n, size)})
	s := New(settings(t, server.URL(), Config{}))
	left := n
	for chunk, err := range s.Frames(t.Context(), resumeOldest) {
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range chunk.Frames {
			if len(f.Data) != size || f.Data[0] != 0xa0 || f.Data[size-1] != 0xa0 {
				t.Fatalf("a frame of %d bytes, want %d", len(f.Data), size)
			}
		}
		if used, has := len(chunk.Buf), cap(chunk.Buf); has > 2*used {
			t.Fatalf("a chunk of %d bytes has memory of %d", used, has)
		}
		left -= len(chunk.Frames)
		chunk.Release()
		if left <= 0 {
			break
		}
	}
	for range 2 * maxFree {
		s.recycle(&event.Chunk{Buf: make([]byte, 0, maxPooled)})
	}
	kept := int64(0)
	for range len(s.free) {
		kept += int64(cap((<-s.free).Buf))
	}
	if most := int64(maxFree * (s.cfg.ChunkBytes + chunkRoom)); kept == 0 || kept > most || kept != s.kept.Load() {
		t.Errorf("%d bytes are kept for reuse (%d by its own count), want at most %d", kept, s.kept.Load(), most)
	}
}

// G5: of messages of some megabytes there is one at a time, in one memory, whoever keeps
// it for however long; the next one is read once it was given back.
func TestLargeMessagesWaitForMemory(t *testing.T) {
	for name, size := range map[string]int{"large": 4_000_000, "medium": 1_500_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 4
			server := relaytest.Start(t, relayserver.Config{Log: sized(t, n, size)})
			var kept atomic.Bool
			var memory *byte
			left := n
			for chunk, err := range New(settings(t, server.URL(), Config{})).Frames(t.Context(), resumeOldest) {
				if err != nil {
					t.Fatal(err)
				}
				if kept.Swap(true) {
					t.Error("another large message came while one was kept")
				}
				if first := &chunk.Frames[0].Data[0]; memory != nil && memory != first {
					t.Error("it came in other memory")
				} else {
					memory = first
				}
				if left -= len(chunk.Frames); left <= 0 {
					break
				}
				time.AfterFunc(100*time.Millisecond, func() { kept.Store(false); chunk.Release() })
			}
		})
	}
}

// Whoever keeps a large message for good can still end.
func TestWaitingForMemoryEnds(t *testing.T) {
	server := relaytest.Start(t, relayserver.Config{Log: sized(t, 2, 4_000_000)})
	s := New(settings(t, server.URL(), Config{}))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for chunk, err := range s.Frames(ctx, resumeOldest) {
		if err != nil || len(chunk.Frames) != 1 {
			t.Fatalf("a chunk of %d frames, %v", len(chunk.Frames), err)
		}
		time.AfterFunc(50*time.Millisecond, stop)
	}
	if ctx.Err() == nil {
		t.Error("it ended by itself")
	}
}

func BenchmarkReadAndDiscard(b *testing.B) {
	const size = 5400
	server := relaytest.Start(b, relayserver.Config{Log: sized(b, b.N, size)})
	endpoint, err := ParseURL(server.URL(), false)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	drain(b, New(Config{Endpoint: endpoint}), b.N)
}
