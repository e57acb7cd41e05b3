package follow_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// Q1 to Q3 over real sockets: each event comes once and in order, whatever the relay does
// to its connections and its numbers, and nothing else comes.
func TestEventsOverSockets(t *testing.T) {
	t.Parallel()
	const n = 600
	for _, faults := range []string{
		"drop@50,cut@100,repeat@150:20,regress@200:15,reset@250,close@300:1012",
		"ahead@1:3,ahead@70,leap@140:900,leap@210:20000,leap@280:1000000000,leap@350",
		"leap@1:900,drop@1,leap@100:900,drop@100,ahead@200:3,drop@200,leap@300:20000,drop@300",
		"leap@1:1000000000,text@20,ahead@100:3,garbage@100,info@101,unknown@150",
	} {
		for _, inclusive := range []bool{false, true} {
			t.Run(faults, func(t *testing.T) {
				t.Parallel()
				server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, n), Faults: relaytest.Faults(t, faults), Inclusive: inclusive})
				got, err := readSocket(t, server, n)
				if err != nil || !slices.Equal(got, span(1, n)) {
					t.Errorf("yielded %v: %v", got, err)
				}
			})
		}
	}
}

func socket(server *relayserver.Server) follow.Open {
	return func(link func(event.Link)) (follow.Source, error) {
		endpoint, err := relay.ParseURL(server.URL(), false)
		return relay.New(relay.Config{Endpoint: endpoint, Notify: link, BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond}), err
	}
}

// readSocket reads until an event has come that is the last.
func readSocket(t *testing.T, server *relayserver.Server, last event.Seq) (seqs []event.Seq, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for item, err := range follow.Events(ctx, socket(server), follow.Options{From: oldest()}) {
		if err != nil {
			return seqs, err
		}
		if item.Seq == 0 {
			continue
		}
		if seqs = append(seqs, item.Seq); item.Seq == last {
			break
		}
	}
	return seqs, nil
}

// A false event that was yielded, since another confirmed it, is not taken for the true one
// of its number.
func TestTrueEventsBehindFalseOnes(t *testing.T) {
	t.Parallel()
	const n = 400
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, n), Faults: relaytest.Faults(t, "leap@200:50,leap@200:51")})
	times := map[string]int{}
	for item, err := range follow.Events(t.Context(), socket(server), follow.Options{From: oldest(), Quiet: 2 * time.Second}) {
		if err != nil {
			t.Fatal(err)
		}
		times[string(item.Frame)]++
	}
	for seq := event.Seq(1); seq <= n; seq++ {
		if c := times[string(relaytest.Identity(seq))]; c != 1 {
			t.Errorf("seq %s came %d times", seq, c)
		}
	}
	if len(times) != n+3 { // two false ones, and that reading went back
		t.Errorf("%d different items", len(times))
	}
}
