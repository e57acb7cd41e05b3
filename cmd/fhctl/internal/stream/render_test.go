package stream

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/stats"
)

// savedReport is the report of a stream of which everything can be told.
func savedReport(t *testing.T) *stats.Report {
	t.Helper()
	text, err := os.ReadFile("../../../../pkg/stats/testdata/stream.json")
	if err != nil {
		t.Fatal(err)
	}
	var r stats.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func plainRows(rows []output.Row) string {
	var b bytes.Buffer
	_ = output.WriteRows(&b, rows, false)
	return b.String()
}

func TestStatsForPeople(t *testing.T) {
	r := savedReport(t)
	r.Groups, r.Losses.Newest = r.Groups[:1], nil
	r.Groups[0].Name, r.Room = "wor\x1bkers", r.Groups[0].Room
	r.Room.Group = r.Groups[0].Name
	r.Checks = []stats.Check{{Name: "max-lag", Status: stats.Failed, Detail: "group wor\x1bkers is 100 entries behind, more than 5"}}
	want := `Stream firehose:events on redis://localhost:6379
  length  1,000 entries, trimmed to about 1,000 (max-stream-len)
  memory  3.0 MiB, as Redis estimates
  first   1767354201000-0  seq 7001  stored 2026-01-02 11:43:21Z, 17 min ago
  last    1767355200000-0  seq 8000  stored 2026-01-02 12:00:00Z, 0.0 s ago; relay's time 2026-01-02 11:58:20Z
  span    17 min from first to last; 17 min at the present rate
  rate    1.0/s over the last 11 entries (10 s); 1.0/s on average
  room    about 899 entries, 15 min at the present rate, until trimming reaches group wor\x1bkers, if the group read nothing more (pending)

Newest 11 entries: 2.1 KiB, 10 s
  KIND     ENTRIES  SHARE    BYTES  SHARE
  commit        10  90.9%  2.0 KiB  90.9%
  account        1   9.1%    200 B   9.1%

  COLLECTION          OPS   SHARE  BYTES   SHARE
  app.bsky.feed.like    3  100.0%  900 B  100.0%

Groups
  GROUP        LAG  BEHIND  PENDING  OLDEST  REDELIVERED  CONSUMERS  ROOM  ROOM TIME
  wor\x1bkers  100    99 s        1   100 s   1 (max 3×)          1  ~899     15 min
  ~ is an estimate

  GROUP        CONSUMER  PENDING   IDLE  INACTIVE
  wor\x1bkers  w1              0  2.0 s         -

Dead letters firehose:dead-letters
  2 entries; newest 60 min ago: commit seq 7500 after 10 deliveries, stored as 1-1

Cursor firehose:python_cursor
  seq         8000 of relay.example
  event time  2026-01-02 11:58:20Z, 100 s ago, by the relay
  window      it leaves the relay's window, assumed to be 72.0 h (--relay-window), in 72.0 h if it stands still
  writer      fhctl/host-1, connected to wss://relay.example

Checks
  failed  max-lag  group wor\x1bkers is 100 entries behind, more than 5
`
	if got := plainRows(statsRows(r)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStatsSayWhatIsSpecial(t *testing.T) {
	observed := func(length, limit int64) func(*stats.Report) {
		return func(r *stats.Report) {
			r.Stream.Length, r.Stream.MaxLength, r.Stream.TrimAt, r.Stream.TrimObserved = length, limit, &length, true
		}
	}
	for name, tc := range map[string]struct {
		change func(*stats.Report)
		want   string
	}{
		"the writer keeps more":      {observed(5000, 1000), "length  5,000 entries, more than max-stream-len 1,000: its writer keeps more"},
		"the writer keeps fewer":     {observed(1000, 500_000), "trimmed before max-stream-len 500,000: its writer keeps fewer"},
		"trimmed by somebody":        {observed(1000, 0), "trimmed, although max-stream-len is 0 here"},
		"never trimmed":              {func(r *stats.Report) { r.Stream.TrimAt, r.Room = nil, nil }, "room    unlimited: nothing is trimmed"},
		"no group":                   {func(r *stats.Report) { r.Groups, r.Room = nil, nil }, "No consumer groups"},
		"entries are gone":           {func(*stats.Report) {}, "room    none: trimming has passed group sleepers (unread entries are gone)"},
		"entries are about to go":    {func(r *stats.Report) { r.Groups[1].LostUnread = false }, "room    none: what is stored next trims entries that group sleepers still needs (unread)"},
		"nothing comes":              {func(r *stats.Report) { *r.Rate.PerSecond = 0 }, "rate    nothing was stored in the last 60 s; 1.0/s on average"},
		"little comes":               {func(r *stats.Report) { *r.Rate.PerSecond = 0.01 }, "rate    36.0/h over the last"},
		"no memory":                  {func(r *stats.Report) { r.Stream.MemoryBytes, r.Stream.MemoryUnknown = nil, "not allowed" }, "memory  unknown: not allowed"},
		"no dead letters to see":     {func(r *stats.Report) { r.DeadLetters.Length, r.DeadLetters.Unknown = nil, "not allowed" }, "  unknown: not allowed"},
		"the window was left":        {func(r *stats.Report) { r.Cursor.Window.Seconds, *r.Cursor.Window.LeftSeconds = 60, -40 }, "it left the relay's window, assumed to be 60 s (--relay-window), 40 s ago"},
		"another relay":              {func(r *stats.Report) { r.Cursor.OtherRelay = true }, "8000 of relay.example, which is not the relay that relay-url names"},
		"the bridge's cursor":        {func(r *stats.Report) { *r.Cursor.Relay, r.Cursor.RelayAssumed = "bsky.network", true }, "8000 of bsky.network (assumed: "},
		"no heartbeat":               {func(r *stats.Report) { r.Cursor.Writer = nil }, "writer      no heartbeat"},
		"a cursor that is no number": {func(r *stats.Report) { r.Cursor.Seq, r.Cursor.Raw = nil, "a\x1bb" }, `"a\x1bb" is not a seq`},
		"a replay's cursor":          {func(r *stats.Report) { *r.Cursor.Relay = "replay:x" }, "8000 of replay:x"},
		"losses":                     {func(*stats.Report) {}, "60 s ago: sleepers lost 7 unread and 1 pending, seq 6001 to 6010"},
		"entries that are removed":   {func(r *stats.Report) { r.Losses.Newest[0].Group = "" }, "somebody removed entries, and what groups had not read of them is gone, up to seq 6010"},
		"no stream":                  {func(r *stats.Report) { r.Stream.Exists = false }, "does not exist (yet)"},
	} {
		t.Run(name, func(t *testing.T) {
			r := savedReport(t)
			tc.change(r)
			if got := plainRows(statsRows(r)); !strings.Contains(got, tc.want) {
				t.Errorf("%q is not in\n%s", tc.want, got)
			}
		})
	}
}

// No relay has to hold what follows a replay's cursor.
func TestStatsShowNoWindowOfAReplay(t *testing.T) {
	r := savedReport(t)
	*r.Cursor.Relay = "replay:x"
	if got := plainRows(statsRows(r)); strings.Contains(got, "  window ") {
		t.Errorf("a window in\n%s", got)
	}
}

// What failed decides; only without it does what nobody could check.
func TestChecksEndTheCommand(t *testing.T) {
	for statuses, want := range map[string]fault.Class{
		"": 0, "ok": 0, "ok failed": fault.Findings, "unknown ok": fault.Unreachable, "unknown failed": fault.Findings,
	} {
		var checks []stats.Check
		for status := range strings.FieldsSeq(statuses) {
			checks = append(checks, stats.Check{Name: "max-lag", Status: status, Detail: "told"})
		}
		err := checkError(checks)
		if (err == nil) != (want == 0) || err != nil && (fault.ClassOf(err) != want || !strings.Contains(err.Error(), "--max-lag: told")) {
			t.Errorf("%q: %v, want %v", statuses, err, want)
		}
	}
}
