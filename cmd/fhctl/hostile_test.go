package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// Whatever a relay names (collections, types of events, errors, statuses,
// handles), /metrics shows none of it and has no more series than before.
func TestHostileNamesMakeNoLabels(t *testing.T) {
	t.Parallel()
	const mark = "h0stile"
	log, last := relayserver.NewMemoryLog(0), event.Seq(0)
	add := func(ev event.Event) {
		last++
		ev.Seq, ev.DID, ev.Time = last, []byte("did:plc:aaaabbbbccccddddeeeeffff"), []byte("2026-01-02T03:04:05Z")
		raw, err := frame.Append(nil, &ev)
		if err == nil {
			err = log.Append(last, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	hostile := func(i int) []byte { return fmt.Appendf(nil, "%s%d\",x=\"\x1b[31m\n\u202e", mark, i) }
	for i := range 300 {
		add(event.Event{Kind: event.KindIdentity, Identity: event.Identity{Handle: hostile(i)}})
		add(event.Event{Kind: event.KindAccount, Account: event.Account{Status: hostile(i)}})
		add(event.Event{Kind: event.KindUnknown, Type: hostile(i)})
		add(event.Event{Kind: event.KindCommit, Commit: event.Commit{Rev: []byte("3kaaaaaaaaa2a"), Ops: []event.Op{
			{Action: event.Delete, Path: append(hostile(i), "/1"...)}, {Action: event.Create, Path: append(hostile(i), "/2"...)},
		}}})
	}
	faults, err := relayserver.ParseFaults("error@20:" + mark + "-error,info@40:" + mark + "-info,unknown@60:#" + mark)
	if err != nil {
		t.Fatal(err)
	}
	relay, err := relayserver.Start(relayserver.Config{Log: log, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Close)
	server := redistest.Start(t)
	if err := server.Client().XGroupCreateMkStream(t.Context(), "firehose:events", string(hostile(0)), "0").Err(); err != nil {
		t.Fatal(err)
	}
	p := start(t, append(environment(relay.URL(), server.URL()), "REDIS_MAX_STREAM_LEN=100"), "ingest", "--from=oldest")
	before := series(t, p)
	eventually(t, time.Minute, func() error { return reached(t, server, last) })
	after := series(t, p)
	if strings.Contains(after, mark) {
		t.Errorf("a foreign value became part of the metrics:\n%s", linesWith(after, mark))
	}
	// Families that had nothing to say before the first event appear; each of
	// the 300 names would add a line or more.
	if a, b := strings.Count(before, "\n"), strings.Count(after, "\n"); b > a+100 {
		t.Errorf("%d lines of metrics before, %d after", a, b)
	}
	if !strings.Contains(after, `fhctl_events_total{kind="unknown"} 3`) {
		t.Errorf("the unknown events are not counted:\n%s", linesWith(after, "fhctl_events_total"))
	}
}

// A relay that sends a notice with each event, and events that are rejected,
// fills no disk with what is logged of them; what is not logged is counted.
func TestFloodsDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	const events = 6000
	log := relayserver.NewMemoryLog(0)
	for seq := event.Seq(1); seq <= events; seq++ {
		raw := identityFrame(t, seq)
		if seq%2 == 0 { // without a DID
			raw = relaytest.Frame("#identity", map[string]any{"seq": int64(seq)})
		}
		if err := log.Append(seq, raw); err != nil {
			t.Fatal(err)
		}
	}
	relay := relaytest.Start(t, relayserver.Config{Log: log, Faults: relaytest.Faults(t, "info%1:Hello,unknown%1:#news")})
	p := start(t, environment(relay.URL(), "embedded://"), "ingest", "--from=oldest", until(events-1))
	p.mustExit(0, time.Minute)
	wantFloodCounted(t, p.output(), `"msg":"Relay notice","name":"Hello"`, events-1)
	wantFloodCounted(t, p.output(), `"msg":"Frame rejected"`, events/2-1)
	if n := strings.Count(p.output(), "\n"); n > 100 {
		t.Errorf("%d lines of log", n)
	}
}

// wantFloodCounted wants lines that hold a text to be few and to count all that
// there were, but for the last chunk, which the end may cut short.
func wantFloodCounted(t *testing.T, output, text string, all int) {
	t.Helper()
	lines, said := strings.Split(linesWith(output, text), "\n"), 0
	for _, line := range lines {
		_, count, _ := strings.Cut(line, `"not_logged":`)
		n := 0
		_, _ = fmt.Sscan(count, &n)
		said += 1 + n
	}
	if len(lines) > 10 || said < all-relay.DefaultChunkFrames || said > all+relay.DefaultChunkFrames {
		t.Errorf("%d lines with %s count %d, want all %d counted", len(lines), text, said, all)
	}
}

// series is the whole of /metrics.
func series(t *testing.T, p *program) string {
	t.Helper()
	p.says(`"metrics":"`, 20*time.Second)
	_, rest, _ := strings.Cut(p.output(), `"metrics":"`)
	url, _, _ := strings.Cut(rest, `"`)
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func linesWith(text, part string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) && len(found) < 20 {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}
