package relay

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// silent accepts connections and never says a word; its address is a relay's.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open = append(open, conn)
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
		for _, conn := range open {
			conn.Close()
		}
	})
	return "ws://" + listener.Addr().String()
}

func TestC6SilenceEndsTheConnection(t *testing.T) {
	server, _ := relay(t, 10, "stall@5:1h")
	f := follow(t, server.URL(), oldest, Config{IdleTimeout: 50 * time.Millisecond}, nil)
	f.untilSeq(10)
	f.stop()
	f.wantExact(1, 10)
	if f.causes()[0] != causeIdle {
		t.Errorf("causes %v", f.causes())
	}
}

func TestC6PingsWhileTheReceiverIsSlow(t *testing.T) {
	const idle = 200 * time.Millisecond
	server, _ := relay(t, 1000, "")
	release := make(chan struct{})
	f := follow(t, server.URL(), oldest, Config{IdleTimeout: idle, PingEvery: 5 * time.Millisecond}, func(*event.Chunk) bool {
		<-release
		return true
	})
	f.until("a chunk came", func() bool { return len(f.seqs) > 0 })
	start := time.Now()
	for { // the relay's own pings would go unread: unsolicited pongs show life
		if pings, pongs, _ := server.Control(); pings > 2 && pongs > 2 && time.Since(start) > 2*idle {
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(release)
	f.untilSeq(1000)
	f.stop()
	f.wantExact(1, 1000)
	if !slices.Equal(f.causes(), []string{causeStopped}) {
		t.Errorf("a slow receiver was taken for a dead relay: %v", f.causes())
	}
}

func TestC6PingsAreAnswered(t *testing.T) {
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 1), PingEvery: time.Millisecond})
	f := follow(t, server.URL(), oldest, Config{}, nil)
	untilPonged(server, 3)
	f.stop()
}

func TestIdleTimerOff(t *testing.T) {
	server, log := relay(t, 1, "")
	f := follow(t, server.URL(), oldest, Config{PingEvery: time.Hour}, nil)
	f.untilSeq(1)
	relaytest.Extend(t, log, 2, 2)
	f.untilSeq(2)
	f.stop()
	if !slices.Equal(f.causes(), []string{causeStopped}) {
		t.Errorf("causes %v", f.causes())
	}
}

// TestC7SlowConsumerIsDropped plays a relay that loses patience: what had been
// sent is read first, then reading goes on from the position.
func TestC7SlowConsumerIsDropped(t *testing.T) {
	for _, faults := range []string{"error@500:ConsumerTooSlow", "drop@500"} {
		server, _ := relay(t, 600, faults)
		held := false
		f := follow(t, server.URL(), oldest, Config{}, func(*event.Chunk) bool {
			for !held && server.Injected()["drop"]+server.Injected()["error"] == 0 {
				time.Sleep(time.Millisecond)
			}
			held = true
			return true
		})
		f.untilSeq(600)
		f.stop()
		f.wantExact(1, 600)
		if len(f.seqs) != 600 {
			t.Errorf("%s: %d frames, want 600", faults, len(f.seqs))
		}
	}
}

// A reader that rests between bursts still brings every event, however few and
// small: each comes alone here, into a socket just read empty.
func TestLingerLosesNothing(t *testing.T) {
	if !hasLowWater {
		t.Skip("this system cannot tell a few bytes from plenty")
	}
	log := relaytest.Log(t, 1, 1)
	server := relaytest.Start(t, relayserver.Config{Log: log})
	lulls := 0
	const linger = 2 * time.Millisecond
	f := follow(t, server.URL(), oldest, Config{Linger: linger}, func(c *event.Chunk) bool {
		if c.Lull {
			lulls++
		}
		return true
	})
	const last = 20
	for seq := event.Seq(1); seq <= last; seq++ {
		if seq > 1 {
			// Half of them find the reader resting, half waiting.
			time.Sleep(time.Duration(seq%2) * 3 * linger)
			relaytest.Extend(t, log, seq, seq)
		}
		f.untilSeq(seq)
	}
	f.stop()
	f.wantExact(1, last)
	if lulls != last || !slices.Equal(f.causes(), []string{causeStopped}) {
		t.Errorf("%d of %d chunks were before a lull, causes %v", lulls, last, f.causes())
	}
}

// Who rests is woken by a good deal of bytes, long before its time: a fast relay
// would otherwise fill the socket's buffer and wait. Stopping wakes as well.
func TestLingerEndsWhenPlentyHasCome(t *testing.T) {
	if !hasLowWater {
		t.Skip("this system cannot tell a few bytes from plenty")
	}
	log := relaytest.Log(t, 1, 1)
	server := relaytest.Start(t, relayserver.Config{Log: log})
	f := follow(t, server.URL(), oldest, Config{Linger: time.Hour}, nil)
	f.untilSeq(1)
	const megabytes = 20_000 // frames, about
	relaytest.Extend(t, log, 2, megabytes)
	f.untilSeq(2)
	f.stop()
	f.wantExact(1, f.seqs[len(f.seqs)-1])
}
