package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// team is several ingest on one stream.
type team struct {
	t      *testing.T
	server *redistest.Server
	all    []*program
}

// leader waits until one of them says it leads; stopped ones are not asked.
func (c *team) leader() *program {
	c.t.Helper()
	var found *program
	eventually(c.t, time.Minute, func() error {
		found = nil
		for _, p := range c.all {
			if p.metric("fhctl_leader") == "1" {
				if found != nil {
					return errors.New("two lead")
				}
				found = p
			}
		}
		if found == nil {
			return errors.New("nobody leads")
		}
		return nil
	})
	return found
}

// leave takes one out of those that are asked.
func (c *team) leave(p *program) {
	var rest []*program
	for _, other := range c.all {
		if other != p {
			rest = append(rest, other)
		}
	}
	c.all = rest
}

// passes waits until somebody has stored that much.
func (c *team) passes(seq event.Seq) {
	c.t.Helper()
	eventually(c.t, time.Minute, func() error { return reached(c.t, c.server, seq) })
}

// readyz reads the report and its status code.
func (p *program) readyz() (code int, r health.Report) {
	p.t.Helper()
	_, rest, _ := strings.Cut(p.output(), `"readyz":"`)
	url, _, _ := strings.Cut(rest, `"`)
	response, err := http.Get(url)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if err := json.Unmarshal(body, &r); err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, r
}

// G1, G2, G3 for three ingest on one stream, whatever ends the leader: killed,
// stopped for longer than its lease and let go on, told to stop. Each time
// another takes over, /readyz and metrics tell who, and the stream is exact.
func TestPairsAreExactWhateverEndsTheLeader(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 20_000)
	server := redistest.Start(t)
	relay := c.serve(t, "", slow(6000))
	pair := &team{t: t, server: server}
	for range 3 {
		pair.all = append(pair.all, start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest"))
	}
	for _, p := range pair.all {
		p.says(`"msg":"Health and metrics"`, 20*time.Second)
	}
	pair.passes(c.first + 1000)
	pair.tellsRoles()

	first := pair.leader()
	first.kill()
	pair.leave(first)
	pair.passes(cursorOf(t, server.Client()) + 2000)

	second := pair.leader()
	second.signal(redistest.SignalStop)
	pair.leave(second)
	upto := cursorOf(t, server.Client())
	third := pair.leader()
	pair.passes(upto + 2000)
	stood := second.timesStandingBy() + third.timesStandingBy()
	second.signal(redistest.SignalContinue)
	pair.all = append(pair.all, second)
	eventually(t, time.Minute, func() error { // on a machine this slow it may even be the third
		if second.timesStandingBy()+third.timesStandingBy() == stood {
			return fmt.Errorf("who was paused goes on leading:\n%s", lastOf(second.output()))
		}
		return nil
	})

	third.signal(syscall.SIGTERM)
	third.mustExit(0, 10*time.Second)
	pair.leave(third)
	pair.passes(c.last)
	second.signal(syscall.SIGTERM)
	second.mustExit(0, 10*time.Second)
	c.check(t, server.Client(), c.last)
}

func (p *program) timesStandingBy() int {
	return strings.Count(p.output(), `"msg":"Standing by: another process leads"`)
}

// tellsRoles compares what all say of themselves with who leads, in /readyz,
// the metrics and the dashboard's key.
func (c *team) tellsRoles() {
	c.t.Helper()
	eventually(c.t, time.Minute, func() error {
		leader := c.leader()
		pid := fmt.Sprintf("-%d", leader.cmd.Process.Pid)
		for _, p := range c.all {
			code, r := p.readyz()
			got := fmt.Sprint(p.metric("fhctl_leader"), " ", r.Role, " ", strings.HasSuffix(r.Leader, pid), " ", r.Ready, " ", code)
			want := "0 standby true true 200"
			if p == leader {
				want = "1 leader false true 200"
			}
			if got != want {
				return fmt.Errorf("says %q (%+v), want %q", got, r, want)
			}
		}
		if status := c.server.Client().Get(c.t.Context(), "firehose:status").Val(); !strings.Contains(status, pid+`"`) {
			return fmt.Errorf("the status is not the leader's: %s", status)
		}
		return nil
	})
	for _, p := range c.all {
		if n := p.metric("fhctl_frames_total"); n != "0" && !contains(p.output(), `"msg":"Leading"`) {
			c.t.Errorf("a standby decoded %s frames", n)
		}
	}
}
