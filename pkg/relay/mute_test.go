package relay

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// message is a websocket frame as a server sends it.
func message(final bool, opcode byte, data []byte) []byte {
	head := []byte{opcode, byte(len(data))}
	if final {
		head[0] |= 0x80
	}
	if len(data) > 125 {
		head = append(head[:1], 126, byte(len(data)>>8), byte(len(data)))
	}
	return append(head, data...)
}

func whole(data []byte) []byte { return message(true, 2, data) }

// stuck is a relay that sends the events 1 to 19 on its first connection and
// what goes on says from there on, as often as it is read or each 5 ms. From
// the second connection on it sends the events above the cursor.
func stuck(t *testing.T, flood bool, goesOn func(n int) []byte) string {
	t.Helper()
	return answering(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		after, again := event.ParseSeq(r.URL.Query().Get("cursor"))
		last := event.Seq(19)
		if again = again && after > 0; again {
			last = after + 6
		}
		out := upgraded(r)
		for seq := after + 1; seq <= last; seq++ {
			out = append(out, whole(relaytest.Identity(seq))...)
		}
		if _, err = conn.Write(out); again {
			_, _ = conn.Read(make([]byte, 1))
			return
		}
		for n := 0; err == nil; n++ {
			if !flood {
				time.Sleep(5 * time.Millisecond)
			}
			next := goesOn(n)
			if next == nil {
				_, _ = io.Copy(io.Discard, conn)
				return
			}
			_, err = conn.Write(next)
		}
	})
}

// A relay that sends anything but new events is left after the idle timeout, and
// what it had sent whole is here long before that (C6).
func TestC6OnlyNewEventsAreLife(t *testing.T) {
	empty, event1 := message(false, 0, nil), relaytest.Identity(1)
	info := whole(relaytest.Frame("#info", map[string]any{"name": "Hello"}))
	unknown := func(n int) []byte {
		return whole(relaytest.Frame("#news", map[string]any{"seq": int64(100 + n)}))
	}
	begun := func(next func(n int) []byte) func(int) []byte {
		return func(n int) []byte {
			if n == 0 {
				return message(false, 2, event1[:10])
			}
			return next(n)
		}
	}
	for name, goesOn := range map[string]func(n int) []byte{
		"server pings":              func(int) []byte { return message(true, 9, []byte("you there?")) },
		"pongs nobody asked for":    func(int) []byte { return message(true, 10, nil) },
		"notices":                   func(int) []byte { return info },
		"notices of rising seqs":    func(n int) []byte { return whole(relaytest.Frame("#info", map[string]any{"seq": int64(100 + n)})) },
		"unknown kinds":             unknown,
		"unknown ops":               func(int) []byte { return whole([]byte{0xa1, 0x62, 'o', 'p', 5, 0xa0}) },
		"one event again and again": func(int) []byte { return whole(relaytest.Identity(19)) },
		"repeats going round":       func(n int) []byte { return whole(relaytest.Identity(event.Seq(1 + n%19))) },
		"repeats going back":        func(n int) []byte { return whole(relaytest.Identity(event.Seq(19 - n%19))) },
		"text":                      func(int) []byte { return message(true, 1, []byte("hello")) },
		"empty messages":            func(int) []byte { return whole(nil) },
		"garbage":                   func(int) []byte { return whole([]byte{0xff, 0xff}) },
		"empty continuations":       begun(func(int) []byte { return empty }),
		"one byte at a time":        begun(func(n int) []byte { return message(false, 0, []byte{byte(n)}) }),
		"a trickled frame": begun(func(n int) []byte {
			if n == 1 {
				return []byte{0x00, 127, 0, 0, 0, 0, 0, 0x40, 0, 0} // 4 MiB are to come
			}
			return []byte{1}
		}),
		"a trickled head":           func(n int) []byte { return []byte{0x82, 126, 1, 1, 2}[min(n, 4) : min(n, 4)+1] },
		"pings within a message":    begun(func(int) []byte { return message(true, 9, nil) }),
		"a message begun, no more":  begun(func(int) []byte { return nil }),
		"one seq that leaps, again": func(n int) []byte { return whole(relaytest.Identity(1 << 50)) },
	} {
		for _, flood := range []bool{false, true} {
			if flood && strings.Contains(name, "no more") || flood && strings.Contains(name, "trickled") {
				continue // a flood of bytes is a message
			}
			t.Run(fmt.Sprintf("%s/flood=%t", name, flood), func(t *testing.T) {
				t.Parallel()
				wantLeft(t, stuck(t, flood, goesOn))
			})
		}
	}
}

func wantLeft(t *testing.T, url string) {
	t.Helper()
	const idle = 300 * time.Millisecond
	started := time.Now()
	var came time.Duration
	f := follow(t, url, oldest, Config{IdleTimeout: idle}, func(c *event.Chunk) bool {
		for _, frame := range c.Frames {
			if came == 0 && relaytest.Seq(frame.Data) == 19 {
				came = time.Since(started)
			}
		}
		return true
	})
	f.until("it was left", func() bool { return len(f.causes()) > 0 })
	ended := time.Since(started)
	f.until("the next connection went on", func() bool { return len(f.conns) > 0 && f.conns[len(f.conns)-1] > 1 })
	f.stop()
	if got := f.causes()[0]; got != causeIdle {
		t.Fatalf("cause %s: %v", got, f.links[2].Err)
	}
	if !slices.Contains(f.seqs, 19) || ended-came < idle/2 {
		t.Errorf("what came whole was held back: seqs %v after %v", f.seqs, came)
	}
	if got := f.links[2]; got.Attempt > 1 || got.Retry > 5*time.Millisecond || got.Err == nil {
		t.Errorf("an idle end is no failure to back off from: %+v", got)
	}
}

// Pongs alone are no life either; a new event is, however rare others are.
func TestC6PongsAreNotLife(t *testing.T) {
	const idle = 300 * time.Millisecond
	log := relaytest.Log(t, 1, 1)
	server := relaytest.Start(t, relayserver.Config{Log: log})
	f := follow(t, server.URL(), oldest, Config{IdleTimeout: idle, PingEvery: 5 * time.Millisecond}, nil)
	for seq := event.Seq(2); seq < 6; seq++ {
		time.Sleep(idle / 3)
		relaytest.Extend(t, log, seq, seq)
		f.untilSeq(seq)
	}
	f.until("it was left", func() bool { return len(f.causes()) > 0 })
	f.stop()
	f.wantExact(1, 5)
	if pings, _, _ := server.Control(); pings < 10 || f.causes()[0] != causeIdle || !strings.Contains(f.links[2].Err.Error(), "no new event") {
		t.Errorf("%d pings, %v", pings, f.links[2])
	}
}

// A host that is gone is left in minutes, however long the idle timeout is: a
// quiet one answers pings.
func TestC6LongIdleTimeoutStillNoticesSilence(t *testing.T) {
	l := newLiveness(24*time.Hour, 30*time.Second, oldest)
	start := l.bytes
	if got := l.deadline(); got != start.Add(silenceLimit) {
		t.Errorf("waits %v", got.Sub(start))
	}
	for range 100 { // pongs
		l.bytes = l.bytes.Add(30 * time.Second)
		if err := l.expired(l.bytes.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.expired(l.bytes.Add(silenceLimit)); err != errSilent {
		t.Errorf("got %v", err)
	}
	l.bytes = l.event.Add(24 * time.Hour)
	if err := l.expired(l.bytes); err != errMute {
		t.Errorf("got %v", err)
	}
	l.paused(time.Hour) // the receiver's, not the relay's
	if err := l.expired(l.bytes.Add(-2 * chunkTime)); err != nil {
		t.Errorf("a slow receiver was taken for a dead relay: %v", err)
	}
	off := newLiveness(0, 30*time.Second, oldest)
	if err := off.expired(start.Add(1000 * time.Hour)); err != nil || !off.deadline().IsZero() {
		t.Errorf("off, yet %v", err)
	}
}

// What renews the idle timer, and what time is given back to the relay.
func TestC6WhatRenewsTheTimer(t *testing.T) {
	frames := func(data ...[]byte) (list []event.Frame) {
		for _, d := range data {
			list = append(list, event.Frame{Data: d})
		}
		return list
	}
	info := relaytest.Frame("#info", map[string]any{"name": "Hello"})
	indefinite := append([]byte{0xbf, 0x61, 't', 0x69}, "#identity\x62op\x01\xff\xbf\x63seq\x18\x63\xff"...)
	for name, test := range map[string]struct {
		frames []event.Frame
		want   bool
	}{
		"a new event":             {frames(relaytest.Identity(8)), true},
		"one among others":        {frames(info, relaytest.Identity(8), info, relaytest.Identity(3)), true},
		"of indefinite length":    {frames(indefinite), true},
		"a commit":                {frames(relaytest.Frame("#commit", map[string]any{"seq": int64(8)})), true},
		"a sync":                  {frames(relaytest.Frame("#sync", map[string]any{"seq": int64(8)})), true},
		"an account":              {frames(relaytest.Frame("#account", map[string]any{"seq": int64(8)})), true},
		"the cursor's":            {frames(relaytest.Identity(7)), false},
		"below the cursor":        {frames(relaytest.Identity(3), relaytest.Identity(4)), false},
		"a notice":                {frames(info), false},
		"a kind nobody knows":     {frames(relaytest.Frame("#news", map[string]any{"seq": int64(8)})), false},
		"a seq that is none":      {frames(relaytest.Frame("#commit", map[string]any{"seq": int64(-8)})), false},
		"no seq":                  {frames(relaytest.Frame("#commit", map[string]any{})), false},
		"text":                    {[]event.Frame{{Data: relaytest.Identity(8), Fault: event.ReasonText}}, false},
		"nothing":                 {frames(nil), false},
		"garbage, large, no maps": {frames(make([]byte, 1<<20)), false},
	} {
		l := newLiveness(time.Hour, 0, event.AfterSeq(7))
		l.event = l.event.Add(-time.Minute)
		before := l.event
		if l.received(test.frames); l.event.After(before) != test.want {
			t.Errorf("%s: renewed %t", name, !test.want)
		}
	}
	l := newLiveness(time.Hour, 0, oldest)
	before := l
	l.paused(chunkTime)
	if got := l.event.Sub(before.event); got != 0 {
		t.Errorf("handling a chunk gained the relay %v", got)
	}
	l.paused(time.Minute)
	if got := l.event.Sub(before.event); got != time.Minute-chunkTime {
		t.Errorf("of a minute that the receiver took %v are given back", got)
	}
	if got := l.bytes.Sub(before.bytes); got != time.Minute+chunkTime {
		t.Errorf("bytes: %v", got)
	}
}

func TestNewest(t *testing.T) {
	for name, test := range map[string]struct {
		from event.Seq
		seqs []event.Seq
		want string
	}{
		"rising":               {0, []event.Seq{1, 2, 3, 9}, "yyyy"},
		"below the cursor":     {5, []event.Seq{4, 5, 6}, "nny"},
		"again":                {0, []event.Seq{5, 5, 5, 6, 6}, "ynnyn"},
		"a leap, and on":       {9, []event.Seq{10, 1 << 53, 11, 12, 13}, "yyyyy"},
		"a leap again":         {9, []event.Seq{10, 1 << 53, 11, 1 << 53, 11, 1 << 53, 11}, "yyyynnn"},
		"a replay going round": {0, []event.Seq{1, 2, 3, 1, 2, 3, 1, 2, 3}, "yyynnnnnn"},
	} {
		n := newest{test.from, test.from}
		got := ""
		for _, seq := range test.seqs {
			got += map[bool]string{true: "y", false: "n"}[n.rises(seq)]
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Whole events wait only a moment for the message behind them, and that message
// keeps what had come of it.
func TestWholeEventsDoNotWaitForAPart(t *testing.T) {
	more := make(chan struct{})
	third := relaytest.Identity(3)
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		out := append(upgraded(r), whole(relaytest.Identity(1))...)
		out = append(out, whole(relaytest.Identity(2))...)
		_, _ = conn.Write(append(out, message(false, 2, third[:7])...))
		<-more
		_, _ = conn.Write(append(message(true, 0, third[7:]), whole(relaytest.Identity(4))...))
		_, _ = conn.Read(make([]byte, 1))
	})
	f := follow(t, url, oldest, Config{Linger: 0}, nil)
	f.untilSeq(2)
	close(more)
	f.untilSeq(4)
	f.stop()
	f.wantExact(1, 4)
	if len(f.frames) != 4 {
		t.Errorf("%d frames", len(f.frames))
	}
}

// A message that never comes to its end is an alarm, once.
func TestC8MessageThatNeverEndsRaisesAnAlarm(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write(append(upgraded(r), message(false, 2, []byte{1})...))
		_, _ = io.Copy(io.Discard, conn)
	})
	f := follow(t, url, event.AfterSeq(7), Config{IdleTimeout: 20 * time.Millisecond}, nil)
	f.until("six ends", func() bool { return len(f.causes()) > 6 })
	f.stop()
	if len(f.alarms) != 1 || !strings.HasPrefix(f.alarms[0], "repeated_close: ") {
		t.Errorf("alarms %q", f.alarms)
	}
	for _, l := range f.links {
		if l.State == event.LinkDown && l.Retry > time.Millisecond { // BackoffMin
			t.Errorf("a relay that took the idle timeout is dialled after %v more", l.Retry)
		}
	}
}
