package main

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// Ops by action and collection, the last seq beside the cursor, the
// group's lag; each as the whole program counts it.
func TestIngestCountsOpsByCollection(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 400)
	server, relay := redistest.Start(t), c.serve(t, "")
	if err := server.Client().XGroupCreateMkStream(t.Context(), keyspace.DefaultStream, "firehose-processors", "0").Err(); err != nil {
		t.Fatal(err)
	}
	p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest")
	eventually(t, time.Minute, func() error { return c.reached(t, server) })
	ops := countOps(t, c)
	if len(ops) < 3 {
		t.Fatalf("the corpus holds too little: %v", ops)
	}
	for label, want := range ops {
		eventually(t, 20*time.Second, func() error { return p.shows("fhctl_ops_total{"+label+"}", want) })
	}
	for _, name := range []string{"fhctl_last_seq", "fhctl_cursor_seq"} {
		eventually(t, 20*time.Second, func() error { return p.shows(name, int64(c.last)) })
	}
	eventually(t, 20*time.Second, func() error {
		if p.metric(`fhctl_group_lag_entries{group="firehose-processors"}`) == "" {
			return errors.New("the group's lag is not shown")
		}
		return nil
	})
}

// shows compares a metric with a whole number.
func (p *program) shows(name string, want int64) error {
	if got, err := strconv.ParseFloat(p.metric(name), 64); err != nil || got != float64(want) {
		return fmt.Errorf("%s is %q, want %d", name, p.metric(name), want)
	}
	return nil
}

// countOps is what the corpus holds, by the labels of fhctl_ops_total.
func countOps(t *testing.T, c *corpus) map[string]int64 {
	t.Helper()
	want := map[string]int64{}
	var decoder frame.Decoder
	var ev event.Event
	for seq := event.Seq(0); seq < c.last; {
		next, raw, err := c.log.Next(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if err := decoder.Decode(raw, &ev); err != nil {
			t.Fatal(err)
		}
		for i := range ev.Commit.Ops {
			if op := &ev.Commit.Ops[i]; ev.Kind == event.KindCommit && op.Skip == 0 {
				collection := event.CollectionOf(op.Collection()).String()
				want[`action="`+op.Action.String()+`",collection="`+collection+`"`]++
			}
		}
		seq = next
	}
	return want
}
