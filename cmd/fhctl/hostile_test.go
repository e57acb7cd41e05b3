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
	"github.com/fhctl/fhctl/pkg/relayserver"
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
