package relay

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

func TestC8BackoffDoublesWithEqualJitter(t *testing.T) {
	for attempt, full := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 5: 16 * time.Second, 6: 30 * time.Second, 1000: 30 * time.Second,
	} {
		least := backoff(attempt, time.Second, 30*time.Second, 0)
		most := backoff(attempt, time.Second, 30*time.Second, 0.999999)
		if least != full/2 || most > full || most < full-time.Millisecond {
			t.Errorf("attempt %d: %v to %v, want half of %v to all of it", attempt, least, most, full)
		}
	}
}

func TestC8AttemptsResetOnlyWithProgress(t *testing.T) {
	at := event.AfterSeq
	var p progress
	dropped := &breach{cause: causeEOF, brought: true}
	for i, step := range []struct {
		pos     event.Position
		attempt int
	}{
		{event.Position{}, 1}, {event.Position{}, 2}, {at(5), 1}, {at(5), 2}, {at(5), 3},
		{at(4), 4}, {at(5), 1}, // an operator's rewind is no progress, what follows is
	} {
		p.dialing(step.pos, dropped)
		if p.attempt != step.attempt {
			t.Errorf("step %d, from %s: attempt %d, want %d", i, step.pos, p.attempt, step.attempt)
		}
	}
}

func TestC9ThirdMeetingIsPassedOver(t *testing.T) {
	var p progress
	large := &breach{cause: causeOversize}
	p.dialing(event.AfterSeq(5), nil)
	for i, step := range []struct {
		pos     event.Position
		discard bool
		stuck   bool
	}{
		{event.AfterSeq(9), false, false}, // progress before it: the first meeting
		{event.AfterSeq(9), true, false},
		{event.AfterSeq(9), true, true}, // not even that helped
		{event.AfterSeq(9), true, false},
		{event.AfterSeq(10), false, false},
	} {
		p.dialing(step.pos, large)
		if p.discard() != step.discard || p.stuck(large) != step.stuck {
			t.Errorf("step %d: discard %t, stuck %t, want %+v", i, p.discard(), p.stuck(large), step)
		}
	}
}

func TestC5RetryAfter(t *testing.T) {
	date := "Fri, 02 Jan 2026 03:04:05 GMT"
	for value, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		" 7 ":                           7 * time.Second,
		"-7":                            0,
		"soon":                          0,
		"86400":                         10 * time.Minute,
		"99999999999999999999":          0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second,
		"Fri, 02 Jan 2026 03:04:00 GMT": 0,
		"Sat, 03 Jan 2026 03:04:00 GMT": 10 * time.Minute,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}}); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

// TestC8DialsBackOffOnAFakeClock shows the delays between real attempts, on
// the bubble's clock: nothing depends on the wall.
func TestC8DialsBackOffOnAFakeClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint, err := ParseURL("ws://127.0.0.1:9", false)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var dials []time.Time
		var links []event.Link
		s := New(Config{Endpoint: endpoint, Notify: func(l event.Link) { links = append(links, l) }})
		s.dialTCP = func(context.Context, string, string) (net.Conn, error) {
			if dials = append(dials, time.Now()); len(dials) == 9 {
				cancel()
			}
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		for _, err := range s.Frames(ctx, func(context.Context) (event.Position, error) { return event.AfterSeq(5), nil }) {
			t.Errorf("the iterator yielded, error %v", err)
		}
		for i, full := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
			full *= time.Second
			if gap := dials[i+1].Sub(dials[i]); gap < full/2 || gap > full {
				t.Errorf("delay %d is %v, want %v to %v", i+1, gap, full/2, full)
			}
		}
		last := links[len(links)-3] // down; then dialing and down of the cancelled one
		if last.State != event.LinkDown || last.Cause != causeRefused || last.Attempt != 8 || last.Retry < 15*time.Second {
			t.Errorf("reported %+v", last)
		}
	})
}

func TestResumeErrorEndsTheIterator(t *testing.T) {
	lost := errors.New("the cursor is gone")
	var got error
	for chunk, err := range New(Config{}).Frames(t.Context(), func(context.Context) (event.Position, error) { return event.Position{}, lost }) {
		if chunk != nil || got != nil {
			t.Error("more than one value")
		}
		got = err
	}
	if !errors.Is(got, lost) {
		t.Errorf("got %v", got)
	}
}

// TestC8PoisonLoopBacksOff plays a relay that sends frames on each connection
// but never moves the position: that is no progress.
func TestC8PoisonLoopBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint, err := ParseURL("ws://127.0.0.1:9", false)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var dials []time.Time
		var relays sync.WaitGroup
		s := New(Config{Endpoint: endpoint})
		s.dialTCP = func(context.Context, string, string) (net.Conn, error) {
			if dials = append(dials, time.Now()); len(dials) == 9 {
				cancel()
			}
			near, far := net.Pipe()
			relays.Go(func() { poison(far) })
			return near, nil
		}
		frames := 0
		for chunk, err := range s.Frames(ctx, func(context.Context) (event.Position, error) { return event.AfterSeq(5), nil }) {
			if err != nil {
				t.Fatal(err)
			}
			frames += len(chunk.Frames)
			chunk.Release()
		}
		relays.Wait()
		for i, full := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
			full *= time.Second
			if gap := dials[i+1].Sub(dials[i]); gap < full/2-time.Second/2 || gap > full {
				t.Errorf("delay %d is %v, want about %v", i+1, gap, full)
			}
		}
		if frames < 8 {
			t.Errorf("%d frames came", frames)
		}
	})
}

// poison upgrades, sends one message of one byte and hangs up.
func poison(conn net.Conn) {
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	_, _ = conn.Write(append(upgraded(r), 0x82, 1, 0xff))
}
