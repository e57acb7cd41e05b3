package relay

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

func TestC1C2C3C4WhatTheRelayIsAsked(t *testing.T) {
	for name, test := range map[string]struct {
		from event.Position
		want relayserver.Request
	}{
		"Q4/live":   {event.Position{}, relayserver.Request{}},
		"Q4/oldest": {oldest, relayserver.Request{Cursor: "0", HasCursor: true}},
		"C1/after":  {event.AfterSeq(2), relayserver.Request{Cursor: "2", HasCursor: true}},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := relay(t, 5, "")
			f := follow(t, server.URL(), test.from, Config{UserAgent: "fhctl/1.2.3"}, nil)
			f.until("connected", func() bool { return len(f.links) > 0 && f.links[len(f.links)-1].State == event.LinkUp })
			got := server.Requests()[0]
			if len(got.Subprotocols) != 0 || got.Extensions != "" {
				t.Errorf("C2, C3: offered subprotocols %v, extensions %q", got.Subprotocols, got.Extensions)
			}
			test.want.UserAgent, test.want.Status = "fhctl/1.2.3", 101
			got.Subprotocols = nil
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestQ3BothReplayBoundariesAreExact(t *testing.T) {
	for _, inclusive := range []bool{false, true} {
		t.Run(fmt.Sprintf("inclusive=%t", inclusive), func(t *testing.T) {
			log := relaytest.Log(t, 1, 200)
			server := relaytest.Start(t, relayserver.Config{Log: log, Inclusive: inclusive, Faults: relaytest.Faults(t, "drop%30")})
			f := follow(t, server.URL(), oldest, Config{}, nil)
			f.untilSeq(200)
			f.stop()
			f.wantExact(1, 200)
			if repeated := len(f.seqs) > 200; repeated != inclusive {
				t.Errorf("%d frames for 200 events", len(f.seqs))
			}
		})
	}
}

func TestQ5OutdatedCursorGoesOn(t *testing.T) {
	for _, silent := range []bool{false, true} {
		server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 50, 60), OutdatedIsSilent: silent})
		f := follow(t, server.URL(), event.AfterSeq(3), Config{}, nil)
		f.untilSeq(60)
		f.stop()
		info := strings.Contains(string(f.frames[0].Data), "OutdatedCursor")
		if f.seqs[0] != 50 || info == silent {
			t.Errorf("silent=%t: first seq %d, info frame %t", silent, f.seqs[0], info)
		}
	}
}

func TestQ6FutureCursor(t *testing.T) {
	t.Run("told", func(t *testing.T) {
		server, _ := relay(t, 5, "")
		f := follow(t, server.URL(), event.AfterSeq(9), Config{}, nil)
		f.until("two dials were answered", func() bool { return len(f.frames) >= 2 })
		f.stop()
		if !strings.Contains(string(f.frames[0].Data), "FutureCursor") || f.causes()[0] != "closed_1008" {
			t.Errorf("got %q, then %v", f.frames[0].Data, f.causes())
		}
	})
	t.Run("silently live", func(t *testing.T) {
		log := relaytest.Log(t, 1, 5)
		server := relaytest.Start(t, relayserver.Config{Log: log, FutureGoesLive: true, PingEvery: time.Millisecond})
		f := follow(t, server.URL(), event.AfterSeq(9), Config{}, nil)
		untilPonged(server, 1)
		relaytest.Extend(t, log, 6, 6)
		f.untilSeq(6)
	})
}

// untilPonged waits until a client answered the server n pings; the test's own
// time limit bounds it.
func untilPonged(server *relayserver.Server, n int64) {
	for {
		if _, pongs, _ := server.Control(); pongs >= n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestC8ReconnectsAfterEveryEnd(t *testing.T) {
	for faults, cause := range map[string]string{
		"close@5:1000":          "closed_1000",
		"close@5:1001":          "closed_1001",
		"close@5:1003":          "closed_1003",
		"close@5:1008":          "closed_1008",
		"close@5:1009":          "closed_1009",
		"close@5:1011":          "closed_1011",
		"close@5:1012":          "closed_1012",
		"close@5:1013":          "closed_1013",
		"close@5:3000":          "closed_other",
		"close@5:2":             "protocol", // no code a close message may carry
		"error@5":               "closed_1008",
		"drop@5":                "eof",
		"cut@5":                 "eof",
		"http@5:502":            "http_5xx",
		"http@5:404":            "http_4xx",
		"http@5:429":            "http_429",
		"http@5:304":            "http_3xx",
		"http@5:200":            "handshake",
		"drop@5,drop@6,close@7": "eof",
	} {
		t.Run(faults, func(t *testing.T) {
			server, _ := relay(t, 10, faults)
			f := follow(t, server.URL(), oldest, Config{}, nil)
			f.untilSeq(10)
			f.stop()
			f.wantExact(1, 10)
			if len(f.seqs) != 10 || !slices.Contains(f.causes(), cause) {
				t.Errorf("%d frames, causes %v, want %s", len(f.seqs), f.causes(), cause)
			}
			if extra := len(f.frames) - 10; extra > 0 && faults != "error@5" {
				t.Errorf("%d frames that no relay sent whole", extra)
			}
		})
	}
}

// A relay that never gets further than half of its second message still moves us
// on: what came whole before the cut counts, although it was read with the half.
func TestC8WhatCameWholeBeforeACutCounts(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		after, _ := event.ParseSeq(r.URL.Query().Get("cursor"))
		whole, half := relaytest.Identity(after+1), relaytest.Identity(after+2)
		message := append(append(upgraded(r), 0x82, byte(len(whole))), whole...)
		_, _ = conn.Write(append(append(message, 0x82, byte(len(half))), half[:len(half)/2]...))
	})
	f := follow(t, url, oldest, Config{}, nil)
	f.untilSeq(5)
	f.stop()
	f.wantExact(1, f.at.Seq)
	if len(f.frames) != len(f.seqs) {
		t.Errorf("%d frames, of which %d came whole", len(f.frames), len(f.seqs))
	}
}

func TestResetIsNoted(t *testing.T) {
	server, _ := relay(t, 100, "reset@50")
	f := follow(t, server.URL(), oldest, Config{}, nil)
	f.untilSeq(100)
	f.stop()
	f.wantExact(1, 100)
	if got := f.causes()[0]; got != "reset" && got != "eof" {
		t.Errorf("cause %s", got)
	}
}

func TestC8RepeatedRefusalsRaiseOneAlarm(t *testing.T) {
	for _, code := range []string{"1003", "1009"} {
		server, _ := relay(t, 9, "close@5*6:"+code)
		f := follow(t, server.URL(), oldest, Config{}, nil)
		f.untilSeq(9)
		f.stop()
		f.wantExact(1, 9)
		if len(f.alarms) != 1 || !strings.HasPrefix(f.alarms[0], "repeated_close: ") || !strings.Contains(f.alarms[0], code) {
			t.Errorf("code %s raised %q", code, f.alarms)
		}
	}
}

func TestExactUnderManyFaults(t *testing.T) {
	const last = 5000
	server, _ := relay(t, last, "drop%701,cut%503,reset%997,repeat%301:20,regress%211,empty%401,text%433,garbage%467,"+
		"unknown%487,info%499,error%1201,close%907:1012,http%1103:502,slow@1:1us")
	f := follow(t, server.URL(), oldest, Config{}, nil)
	f.untilSeq(last)
	f.stop()
	f.wantExact(1, last)
	if got := server.Injected(); len(got) != 14 {
		t.Errorf("only these faults struck: %v", got)
	}
	texts, empties := 0, 0
	for _, frame := range f.frames {
		switch {
		case frame.Fault == event.ReasonText:
			texts++
		case len(frame.Data) == 0:
			empties++
		}
	}
	if texts == 0 || empties == 0 {
		t.Errorf("%d text and %d empty messages came through", texts, empties)
	}
}

func TestF1TextAndEmptyMessagesAreDelivered(t *testing.T) {
	server, _ := relay(t, 3, "text@2,empty@3")
	f := follow(t, server.URL(), oldest, Config{}, nil)
	f.untilSeq(3)
	f.stop()
	if len(f.frames) != 5 || f.frames[1].Fault != event.ReasonText || string(f.frames[1].Data) != "this is not a frame" ||
		len(f.frames[3].Data) != 0 || f.frames[3].Fault != event.ReasonNone {
		t.Errorf("got %q", f.frames)
	}
}

func TestHangupClosesItsOwnConnectionOnly(t *testing.T) {
	server, log := relay(t, 1, "")
	var first *event.Chunk
	var stale func(error)
	// With an idle timer, so that the reader sets a deadline of its own
	// after the hangup.
	f := follow(t, server.URL(), oldest, Config{IdleTimeout: time.Hour}, func(c *event.Chunk) bool {
		if first == nil {
			first, stale = c, c.Hangup
			stale(fmt.Errorf("a poison frame"))
			stale(fmt.Errorf("again"))
		}
		return true
	})
	f.until("the second connection is up", func() bool { return len(f.links) == 5 })
	stale(fmt.Errorf("much later"))
	relaytest.Extend(t, log, 2, 3)
	f.untilSeq(3)
	f.stop()
	if got := f.causes(); !slices.Equal(got, []string{"hangup", "stopped"}) || f.links[2].Err.Error() != "a poison frame" {
		t.Errorf("causes %v, links %+v", got, f.links)
	}
	if f.conns[0] != 1 || f.conns[1] != 2 {
		t.Errorf("connections numbered %v", f.conns)
	}
	if requests := server.Requests(); requests[1].Cursor != "1" {
		t.Errorf("reconnected from %q, want the latest position", requests[1].Cursor)
	}
}

func TestQuietStreamIsNotLate(t *testing.T) {
	server, log := relay(t, 1, "")
	f := follow(t, server.URL(), oldest, Config{ChunkFrames: 1000}, nil)
	for seq := event.Seq(2); seq < 20; seq++ {
		f.untilSeq(seq - 1) // came although nothing follows
		relaytest.Extend(t, log, seq, seq)
	}
	f.untilSeq(19)
	f.stop()
	f.wantExact(1, 19)
}

func TestFastStreamFillsChunks(t *testing.T) {
	server, _ := relay(t, 2000, "")
	sizes := make(chan int, 2000)
	f := follow(t, server.URL(), oldest, Config{}, func(c *event.Chunk) bool {
		sizes <- len(c.Frames)
		if len(sizes) == 1 {
			for server.Sent() < 300 { // let the relay run ahead
				time.Sleep(time.Millisecond)
			}
		}
		return true
	})
	f.untilSeq(2000)
	f.stop()
	close(sizes)
	largest := 0
	for n := range sizes {
		largest = max(largest, n)
	}
	if largest != DefaultChunkFrames {
		t.Errorf("the largest chunk has %d frames, want %d", largest, DefaultChunkFrames)
	}
}

func TestChunksAreBoundedInBytes(t *testing.T) {
	const size = 100_000
	server := relaytest.Start(t, relayserver.Config{Log: sized(t, 60, size)})
	largest, came := 0, 0
	f := follow(t, server.URL(), oldest, Config{}, func(c *event.Chunk) bool {
		largest, came = max(largest, len(c.Buf)), came+len(c.Frames)
		for came <= 2 && server.Sent() < 10 { // let the relay run ahead
			time.Sleep(time.Millisecond)
		}
		return came < 60
	})
	f.untilEnd()
	if largest < size || largest >= DefaultChunkBytes+size {
		t.Errorf("the largest chunk has %d bytes", largest)
	}
}

func TestStopSaysGoodbye(t *testing.T) {
	for name, end := range map[string]func(*follower){
		"cancelled": func(f *follower) { f.stop() },
		"broken":    func(f *follower) { f.untilEnd() },
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := relay(t, 3, "")
			f := follow(t, server.URL(), oldest, Config{}, func(*event.Chunk) bool { return name != "broken" })
			f.until("a frame came", func() bool { return len(f.seqs) > 0 })
			end(f)
			if f.err != nil {
				t.Errorf("stopping is no error: %v", f.err)
			}
			if last := f.links[len(f.links)-1]; last.State != event.LinkDown || last.Cause != "stopped" || last.Err != nil {
				t.Errorf("last reported %+v", last)
			}
			for server.Conns() > 0 {
				time.Sleep(time.Millisecond)
			}
			if _, _, goodbyes := server.Control(); goodbyes != 1 {
				t.Error("the socket was closed without a close message")
			}
		})
	}
}

func TestCancelDuringBackoffAndDial(t *testing.T) {
	asked := make(chan struct{})
	url := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done() // never answers
	})
	f := follow(t, url, oldest, Config{DialTimeout: time.Hour}, nil)
	<-asked
	f.stop()

	server, _ := relay(t, 1, "http@1:503")
	f = follow(t, server.URL(), oldest, Config{BackoffMin: time.Hour, BackoffMax: time.Hour}, nil)
	f.until("down", func() bool { return len(f.causes()) > 0 })
	f.stop()
}

func TestSourceCanBeRangedAgain(t *testing.T) {
	server, _ := relay(t, 3, "")
	s := New(settings(t, server.URL(), Config{}))
	for want := uint64(1); want <= 2; want++ {
		for chunk, err := range s.Frames(t.Context(), resumeOldest) {
			if err != nil || chunk.Conn != want {
				t.Errorf("connection %d, %v, want %d", chunk.Conn, err, want)
			}
			break
		}
	}
}
