package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// The figures of docs/pairs.md: how long nobody stores when a leader ends, and
// what a standby costs. SIGSTOP stands for a leader on another machine: only
// its lease tells that it is gone. It asserts little, for it measures:
//
//	FHCTL_NIGHTLY=1 go test ./cmd/fhctl -run TestTakeoverTimes -v
func TestTakeoverTimes(t *testing.T) {
	if os.Getenv("FHCTL_NIGHTLY") == "" {
		t.Skip("measures for some minutes: set FHCTL_NIGHTLY=1")
	}
	redistest.RequireReal(t)
	needsProc(t)
	for _, rate := range []int{500, 5000} {
		for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, redistest.SignalStop} {
			t.Run(fmt.Sprintf("%v at %d a second", end, rate), func(t *testing.T) { measureTakeovers(t, rate, end) })
		}
	}
}

func measureTakeovers(t *testing.T, rate int, end syscall.Signal) {
	const times = 5
	server, relay := redistest.Start(t), serveForEver(t, rate)
	pair := &team{t: t, server: server}
	join := func() {
		p := start(t, environment(relay.URL(), server.URL()), "ingest")
		p.says(`"msg":"Health and metrics"`, time.Minute)
		pair.all = append(pair.all, p)
	}
	join()
	pair.all[0].says(`"msg":"Ready"`, time.Minute)
	var longest []time.Duration
	for range times {
		join()
		leader := pair.leader()
		pair.leave(leader)
		standby := pair.all[0]
		standby.says("Standing by", time.Minute)
		led, stood := cpu(t, leader), cpu(t, standby)
		const span = 4 * time.Second
		from := cursorOf(t, server.Client())
		longestPause(t, server, span)
		rate := float64(cursorOf(t, server.Client())-from) / span.Seconds() // of seqs, about as many as events
		t.Logf("%.0f a second: CPU of the leader %.1f %%, of the standby %.1f %%", rate, share(cpu(t, leader)-led, span), share(cpu(t, standby)-stood, span))
		leader.signal(end)
		longest = append(longest, longestPause(t, server, span))
		leader.kill()
	}
	t.Logf("longest pauses: %v", longest)
	for _, pause := range longest {
		if pause > 3*time.Second {
			t.Errorf("nobody stored for %v", pause)
		}
	}
}

// loop is a relay's log whose frames repeat under rising numbers, as many as the
// clock says: a live relay.
type loop struct {
	frames [][]byte
	rate   int
	began  time.Time
}

const loopFirst = 7_000_000_001

func (l *loop) Bounds() (oldest, newest event.Seq) {
	return loopFirst, loopFirst + event.Seq(time.Since(l.began).Seconds()*float64(l.rate))
}

func (l *loop) Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error) {
	seq := max(after+1, loopFirst)
	due := l.began.Add(time.Duration(float64(seq-loopFirst) / float64(l.rate) * float64(time.Second)))
	select {
	case <-time.After(time.Until(due)):
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
	raw, _ := frame.SetSeq(nil, l.frames[int(seq)%len(l.frames)], seq)
	return seq, raw, nil
}

// serveForEver is a live relay of that many events a second.
func serveForEver(t *testing.T, rate int) *relayserver.Server {
	t.Helper()
	frames := recordedFrames(t)
	if frames == nil {
		frames = simulatedFrames(t, 2000)
	}
	server, err := relayserver.Start(relayserver.Config{Log: &loop{frames: frames, rate: rate, began: time.Now()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// longestPause watches the cursor and gives the longest time it stood still.
func longestPause(t *testing.T, server *redistest.Server, span time.Duration) (longest time.Duration) {
	t.Helper()
	client := server.Client()
	began := time.Now()
	last, moved := cursorOf(t, client), began
	for time.Since(began) < span || time.Since(moved) > time.Second {
		time.Sleep(2 * time.Millisecond)
		if now := cursorOf(t, client); now != last {
			longest = max(longest, time.Since(moved))
			last, moved = now, time.Now()
		}
	}
	return longest.Round(time.Millisecond)
}

// cpu is the time a process has computed, in hundredths of a second.
func cpu(t *testing.T, p *program) (ticks int) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return ticks
}

func share(ticks int, span time.Duration) float64 { return float64(ticks) / span.Seconds() }
