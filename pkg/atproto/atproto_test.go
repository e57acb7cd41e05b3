package atproto_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/atproto"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
	"github.com/fhctl/fhctl/pkg/sim"
)

// Events is the whole of a consumer: here of a relay that is simulated.
func ExampleEvents() {
	traffic, err := sim.New(sim.Config{Count: 100, Rate: 0, Seed: 1, Accounts: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	relay, err := relayserver.Start(relayserver.Config{Log: traffic})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer relay.Close()

	commits := 0
	for ev, err := range atproto.Events(context.Background(), atproto.Options{Relay: relay.URL(), Oldest: true}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		if ev.Kind != atproto.KindCommit {
			continue
		}
		for _, op := range ev.Commit.Ops {
			fmt.Println(ev.Seq, op.Action, string(op.Collection()))
		}
		if commits++; commits == 3 {
			break
		}
	}
	// Output:
	// 7000000000 create app.bsky.feed.like
	// 7000000001 create app.bsky.feed.repost
	// 7000000002 create app.bsky.feed.like
}

// Decode takes one frame apart.
func ExampleDecode() {
	ev, err := atproto.Decode(relaytest.Identity(7))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ev.Seq, ev.Kind, string(ev.DID), string(ev.Identity.Handle))
	// Output: 7 identity did:plc:aaaabbbbccccddddeeeeffff n7.example
}

func options(s *relayserver.Server, after event.Seq) atproto.Options {
	return atproto.Options{Relay: s.URL(), Oldest: true, After: after, IdleTimeout: 2 * time.Second}
}

// Q1, Q4: each event comes once, in order, across connections that break and repeat;
// a frame that cannot be used is told of and costs nothing else.
func TestEventsComeOnceAndInOrder(t *testing.T) {
	const n = 400
	log := relaytest.Log(t, 1, n)
	s := relaytest.Start(t, relayserver.Config{Log: log, Faults: relaytest.Faults(t, "drop@50,repeat@100:20,garbage@150,text@200,cut@250,unknown@300,info@320:Hello")})
	at, rejects := event.Seq(0), 0
	for ev, err := range atproto.Events(t.Context(), options(s, 0)) {
		var reject *atproto.Reject
		switch {
		case errors.As(err, &reject):
			rejects++
			continue
		case err != nil:
			t.Fatal(err)
		case ev.Seq == 0: // a notice, or of a kind without one
			continue
		case ev.Seq != at+1:
			t.Fatalf("seq %s behind %s", ev.Seq, at)
		}
		if at = ev.Seq; at == n {
			break
		}
	}
	if at != n || rejects != 2 {
		t.Errorf("it ends at %s with %d rejects", at, rejects)
	}
}

// The end of the context is no error; After goes on behind an event.
func TestEventsGoOnAndEnd(t *testing.T) {
	s := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 30)})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	first, last := event.Seq(0), event.Seq(0)
	for ev, err := range atproto.Events(ctx, options(s, 20)) {
		if err != nil {
			t.Fatal(err)
		}
		if first == 0 {
			first = ev.Seq
		}
		if last = ev.Seq; last == 30 {
			stop()
		}
	}
	if first != 21 || last != 30 {
		t.Errorf("%s to %s", first, last)
	}
}

// Q6: what no relay can answer ends the loop with an error that says what.
func TestEventsEndWhereNothingCanFollow(t *testing.T) {
	s := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 30)})
	for name, c := range map[string]struct {
		options atproto.Options
		want    error
	}{
		"future":    {options(s, 5000), atproto.ErrFuture},
		"address":   {atproto.Options{Relay: "ftp://x"}, nil},
		"cleartext": {atproto.Options{Relay: "ws://192.0.2.1"}, nil},
	} {
		var last error
		for _, err := range atproto.Events(t.Context(), c.options) {
			last = err
		}
		if last == nil || c.want != nil && !errors.Is(last, c.want) {
			t.Errorf("%s: %v", name, last)
		}
	}
}

// Decoding a frame again and again allocates nothing.
func TestDecoderAllocatesNothing(t *testing.T) {
	data, _ := frame.SetSeq(nil, relaytest.Identity(1), 9)
	var d atproto.Decoder
	var ev atproto.Event
	if n := testing.AllocsPerRun(100, func() {
		if d.Decode(data, &ev) != nil || ev.Seq != 9 {
			t.Fatal("not decoded")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
