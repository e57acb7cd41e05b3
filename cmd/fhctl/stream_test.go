package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// noon is the moment of made-up reports.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// entryAt is an entry stored so long before noon.
func entryAt(before time.Duration, seq int) redisstream.Stored {
	return redisstream.Stored{ID: redisstream.IDAt(noon.Add(-before)), Fields: []string{"type", "commit", "data", "{}", "seq", fmt.Sprint(seq)}}
}

// madeUp is a stream at its limit of 1,000 entries, one a second, and a group
// that is 100 behind.
func madeUp() *streamFacts {
	return &streamFacts{
		at: noon, serverClock: true, redis: "redis://localhost:6379", streamKey: "firehose:events", cursorKey: "firehose:python_cursor",
		maxLength: 1000, window: 72 * time.Hour, windowAssumed: true, exists: true, added: 5000, memory: 3 << 20,
		bounds: redisstream.Bounds{First: entryAt(999*time.Second, 7001), Last: entryAt(0, 8000), Length: 1000},
		sample: tally{
			entries: 11, bytes: 2200, ops: 3, opBytes: 900, newest: entryAt(0, 8000).ID, oldest: entryAt(10*time.Second, 7990).ID,
			kinds:       map[string]*shareReport{"commit": {Name: "commit", Count: 10, Bytes: 2000}, "account": {Name: "account", Count: 1, Bytes: 200}},
			collections: map[string]*shareReport{"app.bsky.feed.like": {Name: "app.bsky.feed.like", Count: 3, Bytes: 900}},
		},
		groups: []groupFacts{{
			Group: redisstream.Group{Name: "workers", LastDelivered: entryAt(100*time.Second, 7900).ID, EntriesRead: 4900, Lag: 100, LagExact: true,
				Consumers: []redisstream.Consumer{{Name: "w1", Idle: 2 * time.Second, Inactive: -1}}},
			unread: entryAt(99*time.Second, 7901),
		}},
		dead: redisstream.DeadLetters{Length: 2, Newest: redisstream.Stored{ID: redisstream.IDAt(noon.Add(-time.Hour)),
			Fields: []string{"type", "commit", "seq", "7500", "origId", "1-1", "deliveries", "10"}}},
		cursor: redisstream.CursorState{Present: true, Raw: "8000", Seq: 8000, SidePresent: true,
			Side:   redisstream.Side{Relay: "relay.example", EventTime: "2026-01-02T11:58:20Z"},
			Status: redisstream.Heartbeat{Present: true, Connected: true, URL: "wss://relay.example", Writer: "fhctl/host-1", TTL: 9 * time.Second}},
	}
}

func near(t *testing.T, what string, got *float64, want float64) {
	t.Helper()
	if got == nil || math.Abs(*got-want) > 0.001 {
		text := "null"
		if got != nil {
			text = fmt.Sprint(*got)
		}
		t.Errorf("%s is %s, want %v", what, text, want)
	}
}

func TestStatsFollowFromFacts(t *testing.T) {
	r := madeUp().report()
	near(t, "rate", r.Rate.PerSecond, 1)
	near(t, "average", r.Rate.AveragePerSecond, 1)
	near(t, "span", r.Stream.SpanSeconds, 999)
	near(t, "span at rate", r.Stream.SpanAtRateSeconds, 1000)
	near(t, "cursor age", r.Cursor.AgeSeconds, 100)
	near(t, "window left", r.Cursor.Window.LeftSeconds, 72*3600-100)
	g := r.Groups[0]
	near(t, "behind", &g.LagSeconds, 99)
	if r.Room == nil || r.Room.Entries != 900 || !r.Room.Exact || r.Room.Needs != "unread" || g.LostUnread || g.LostPending {
		t.Errorf("room %+v of %+v", r.Room, g)
	}
	near(t, "room in time", r.Room.Seconds, 900)
	if r.Stream.Last.RelayTime == nil || r.Stream.First.RelayTime != nil {
		t.Errorf("the side key's time is that of the cursor's entry: first %v, last %v", r.Stream.First.RelayTime, r.Stream.Last.RelayTime)
	}
	if g.Consumers[0].InactiveSeconds != nil {
		t.Error("what the server does not tell is given as a number")
	}
}

func TestStatsRate(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*streamFacts)
		want   float64 // below 0: unknown
	}{
		"a silence slows it":                {func(f *streamFacts) { f.at = noon.Add(10 * time.Second) }, 0.5},
		"a long silence ends it":            {func(f *streamFacts) { f.at = noon.Add(idleAfter) }, 0},
		"another clock may be off a little": {func(f *streamFacts) { f.serverClock, f.at = false, noon.Add(5*time.Second) }, 1},
		"but not by much":                   {func(f *streamFacts) { f.serverClock, f.at = false, noon.Add(30*time.Second) }, 0.25},
		"nor backwards":                     {func(f *streamFacts) { f.serverClock, f.at = false, noon.Add(-time.Hour) }, 1},
		"one entry has none":                {func(f *streamFacts) { f.sample.entries, f.sample.oldest = 1, f.sample.newest }, -1},
		"all in one millisecond":            {func(f *streamFacts) { f.sample.oldest = f.sample.newest }, -1},
		"no sample":                         {func(f *streamFacts) { f.sample = tally{} }, -1},
		"an empty stream":                   {func(f *streamFacts) { f.sample, f.bounds = tally{}, redisstream.Bounds{} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := madeUp()
			tc.change(f)
			got := f.report().Rate.PerSecond
			if tc.want >= 0 {
				near(t, "rate", got, tc.want)
			} else if got != nil {
				t.Errorf("rate is %v, want none", *got)
			}
		})
	}
}

func TestStatsRoom(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*streamFacts)
		entries int64 // below 0: none
		needs   string
		exact   bool
		lost    bool
	}{
		"pending entries are needed, too": {func(f *streamFacts) {
			f.groups[0].Pending, f.groups[0].OldestPending = 5, entryAt(500*time.Second, 7500).ID
		}, 499, "pending", false, false},
		"an estimate stays one":        {func(f *streamFacts) { f.groups[0].LagExact = false }, 900, "unread", false, false},
		"nothing is trimmed":           {func(f *streamFacts) { f.maxLength, f.added = 0, 1000 }, -1, "", false, false},
		"a limit that is not ours":     {func(f *streamFacts) { f.maxLength, f.added = 0, 5000 }, 900, "unread", true, false},
		"the writer trims earlier":     {func(f *streamFacts) { f.maxLength = 500_000 }, 900, "unread", true, false},
		"the stream is not full yet":   {func(f *streamFacts) { f.maxLength, f.added = 500_000, 1000 }, 499_900, "unread", true, false},
		"the writer trims later":       {func(f *streamFacts) { f.maxLength, f.bounds.Length = 10, 5000 }, 4900, "unread", true, false},
		"trimming passed the group":    {behind(-1), 0, "unread", true, true},
		"but it had read what is gone": {behind(4000), 0, "unread", true, false},
		"it had not":                   {behind(3999), 0, "unread", true, true},
		"a server that does not count": {func(f *streamFacts) { behind(-1)(f); f.added = -1 }, 0, "unread", true, true},
		"a group that has just begun":  {func(f *streamFacts) { behind(-1)(f); f.groups[0].LastDelivered = "0-0" }, 0, "unread", true, false},
		"nothing was ever trimmed":     {func(f *streamFacts) { behind(-1)(f); f.added = 1000 }, 0, "unread", true, false},
		"the oldest pending is trimmed": {func(f *streamFacts) {
			f.groups[0].Pending, f.groups[0].OldestPending = 1, entryAt(5000*time.Second, 1).ID
		}, 0, "pending", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := madeUp()
			tc.change(f)
			r := f.report()
			if tc.entries < 0 {
				if r.Room != nil {
					t.Fatalf("room %+v, want none", r.Room)
				}
				return
			}
			g := r.Groups[0]
			if r.Room == nil || r.Room.Entries != tc.entries || r.Room.Needs != tc.needs || r.Room.Exact != tc.exact || (g.LostUnread || g.LostPending) != tc.lost {
				t.Errorf("room %+v, lost %v %v, want %+v", r.Room, g.LostUnread, g.LostPending, tc)
			}
		})
	}
}

// behind puts the group before the first entry.
func behind(read int64) func(*streamFacts) {
	return func(f *streamFacts) {
		g := &f.groups[0]
		g.LastDelivered, g.Lag, g.EntriesRead = entryAt(2000*time.Second, 6000).ID, f.bounds.Length, read
	}
}

func TestStatsCursor(t *testing.T) {
	f := madeUp()
	f.cursor.Side.EventTime, f.cursorEntry = "hearsay", entryAt(40*time.Second, 8000)
	f.relay = "other.example"
	c := f.report().Cursor
	near(t, "age by the entry", c.AgeSeconds, 40)
	if c.TimeFrom != "entry" || !c.OtherRelay {
		t.Errorf("%+v", c)
	}
	f.cursorEntry = redisstream.Stored{}
	if c := f.report().Cursor; c.AgeSeconds != nil || c.Window.LeftSeconds != nil || c.TimeFrom != "" {
		t.Errorf("an age out of nothing: %+v", c)
	}
	f.cursor = redisstream.CursorState{Present: true, Raw: "abc", NotSeq: true}
	if c := f.report().Cursor; c.Seq != nil || c.Raw != "abc" {
		t.Errorf("no number: %+v", c)
	}
	f.cursor = redisstream.CursorState{}
	if c := f.report().Cursor; c.Present || c.Relay != nil {
		t.Errorf("no cursor: %+v", c)
	}
}

func TestTallyIsBounded(t *testing.T) {
	var sample tally
	var look entry.Outline
	for i := range shareNames + 50 {
		data := fmt.Sprintf(`{"repo":"did:plc:x","ops":[{"action":"create","path":"a.b.c%d/k"}]}`, i)
		sample.add(redisstream.Stored{ID: "5-5", Fields: []string{"type", "commit", "data", data}}, &look)
	}
	sample.add(redisstream.Stored{ID: "4-0", Fields: []string{"type", "commit", "data", "no JSON"}}, &look)
	r := sample.report()
	if len(r.Collections) != shareNames+1 || r.Collections[0].Name != shareOther || r.Collections[0].Count != 50 {
		t.Errorf("%d collections, first %+v", len(r.Collections), r.Collections[0])
	}
	if r.Unreadable != 1 || r.Ops != shareNames+50 || r.Kinds[0].Count != shareNames+51 || r.Kinds[0].CountShare != 1 {
		t.Errorf("%+v", r.Kinds)
	}
}

func TestStatsChecks(t *testing.T) {
	hundred, ninetyNine, few, second, minute := int64(100), int64(99), int64(0), 1.0, time.Minute
	for name, tc := range map[string]struct {
		limits statsLimits
		change func(*streamFacts)
		want   string
		class  fault.Class
	}{
		"none":                 {statsLimits{}, nil, "", 0},
		"at the limit":         {statsLimits{lag: &hundred, pending: &few}, nil, "ok ok", 0},
		"above":                {statsLimits{lag: &ninetyNine}, nil, "failed", fault.Findings},
		"all":                  {statsLimits{lag: &ninetyNine, lagSeconds: &second, pending: &few, cursorAge: &minute}, nil, "failed failed ok failed", fault.Findings},
		"no group":             {statsLimits{lag: &hundred}, func(f *streamFacts) { f.groups = nil }, "unknown", fault.Unreachable},
		"a group that is gone": {statsLimits{lag: &hundred, groups: []string{"workers", "gone"}}, nil, "unknown ok", fault.Unreachable},
		"failed comes first":   {statsLimits{lag: &ninetyNine, groups: []string{"workers", "gone"}}, nil, "unknown failed", fault.Findings},
		"no stream":            {statsLimits{lag: &hundred}, func(f *streamFacts) { f.exists, f.groups = false, nil }, "unknown", fault.Unreachable},
		"no cursor":            {statsLimits{cursorAge: &minute}, func(f *streamFacts) { f.cursor = redisstream.CursorState{} }, "unknown", fault.Unreachable},
		"a broken cursor":      {statsLimits{cursorAge: &minute}, func(f *streamFacts) { f.cursor, f.cursorWhy = redisstream.CursorState{}, "it is a list" }, "unknown", fault.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			f := madeUp()
			if tc.change != nil {
				tc.change(f)
			}
			checks := tc.limits.judge(f.report())
			var got []string
			for _, c := range checks {
				got = append(got, c.Status)
				if c.Detail == "" {
					t.Errorf("%s says nothing", c.Name)
				}
			}
			err := checkError(checks)
			if strings.Join(got, " ") != tc.want || (err == nil) != (tc.class == 0) || err != nil && fault.ClassOf(err) != tc.class {
				t.Errorf("%v (%v), want %s (%v)", got, err, tc.want, tc.class)
			}
		})
	}
}

func plainRows(rows []output.Row) string {
	var b bytes.Buffer
	_ = output.WriteRows(&b, rows, false)
	return b.String()
}

func TestStatsForPeople(t *testing.T) {
	f := madeUp()
	f.groups[0].Pending, f.groups[0].OldestPending = 1, entryAt(100*time.Second, 7900).ID
	f.groups[0].deliveries = redisstream.Redeliveries{Examined: 1, Entries: 1, Max: 3}
	f.groups[0].Name = "wor\x1bkers"
	r := f.report()
	limit := int64(5)
	r.Checks = statsLimits{lag: &limit}.judge(r)
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
	if got := plainRows(r.rows()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStatsSayWhatIsSpecial(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*streamFacts)
		want   string
	}{
		"the writer keeps more":      {func(f *streamFacts) { f.bounds.Length = 5000 }, "length  5,000 entries, more than max-stream-len 1,000: its writer keeps more"},
		"the writer keeps fewer":     {func(f *streamFacts) { f.maxLength = 500_000 }, "trimmed before max-stream-len 500,000: its writer keeps fewer"},
		"trimmed by somebody":        {func(f *streamFacts) { f.maxLength = 0 }, "trimmed, although max-stream-len is 0 here"},
		"never trimmed":              {func(f *streamFacts) { f.maxLength, f.added = 0, 1000 }, "room    unlimited: nothing is trimmed"},
		"no group":                   {func(f *streamFacts) { f.groups = nil }, "No consumer groups"},
		"entries are gone":           {behind(10), "room    none: trimming has passed group workers (unread entries are gone)"},
		"entries are about to go":    {func(f *streamFacts) { f.groups[0].Lag = 1000 }, "room    none: what is stored next trims entries that group workers still needs (unread)"},
		"nothing comes":              {func(f *streamFacts) { f.at = noon.Add(time.Hour) }, "rate    nothing was stored in the last 60 s; 1.0/s on average"},
		"little comes":               {func(f *streamFacts) { f.sample.oldest = entryAt(1000*time.Second, 1).ID }, "rate    36.0/h over the last"},
		"no memory":                  {func(f *streamFacts) { f.memoryWhy = "not allowed" }, "memory  unknown: not allowed"},
		"no dead letters to see":     {func(f *streamFacts) { f.dead = redisstream.DeadLetters{Why: "not allowed"} }, "  unknown: not allowed"},
		"the window was left":        {func(f *streamFacts) { f.window = time.Minute }, "it left the relay's window, assumed to be 60 s (--relay-window), 40 s ago"},
		"another relay":              {func(f *streamFacts) { f.relay = "other.example" }, "8000 of relay.example, which is not the relay that relay-url names"},
		"the bridge's cursor":        {func(f *streamFacts) { f.cursor.SidePresent = false }, "8000 of bsky.network (assumed: "},
		"no heartbeat":               {func(f *streamFacts) { f.cursor.Status = redisstream.Heartbeat{} }, "writer      no heartbeat"},
		"a cursor that is no number": {func(f *streamFacts) { f.cursor.NotSeq, f.cursor.Raw = true, "a\x1bb" }, `"a\x1bb" is not a seq`},
	} {
		t.Run(name, func(t *testing.T) {
			f := madeUp()
			tc.change(f)
			if got := plainRows(f.report().rows()); !strings.Contains(got, tc.want) {
				t.Errorf("%q is not in\n%s", tc.want, got)
			}
		})
	}
}
