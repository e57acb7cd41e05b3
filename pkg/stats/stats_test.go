package stats

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// noon is the moment of made-up reports.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// entryAt is an entry stored so long before noon.
func entryAt(before time.Duration, seq int) reader.Stored {
	return reader.Stored{ID: reader.IDAt(noon.Add(-before)), Fields: []string{"type", "commit", "data", "{}", "seq", fmt.Sprint(seq)}}
}

// madeUp is a stream at its limit of 1,000 entries, one a second, and a group
// that is 100 behind.
func madeUp() *facts {
	return &facts{
		at: noon, serverClock: true, redis: "redis://localhost:6379", streamKey: "firehose:events", cursorKey: "firehose:python_cursor",
		maxLength: 1000, window: 72 * time.Hour, windowAssumed: true, exists: true, added: 5000, memory: 3 << 20,
		bounds: reader.Bounds{First: entryAt(999*time.Second, 7001), Last: entryAt(0, 8000), Length: 1000},
		sample: tally{
			entries: 11, bytes: 2200, ops: 3, opBytes: 900, newest: entryAt(0, 8000).ID, oldest: entryAt(10*time.Second, 7990).ID,
			kinds:       map[string]*Share{"commit": {Name: "commit", Count: 10, Bytes: 2000}, "account": {Name: "account", Count: 1, Bytes: 200}},
			collections: map[string]*Share{"app.bsky.feed.like": {Name: "app.bsky.feed.like", Count: 3, Bytes: 900}},
		},
		groups: []groupFacts{{
			Group: reader.Group{Name: "workers", LastDelivered: entryAt(100*time.Second, 7900).ID, EntriesRead: 4900, Lag: 100, LagExact: true,
				Consumers: []reader.Consumer{{Name: "w1", Idle: 2 * time.Second, Inactive: -1}}},
			unread: entryAt(99*time.Second, 7901),
		}},
		dead: reader.DeadLetters{Length: 2, Newest: reader.Stored{ID: reader.IDAt(noon.Add(-time.Hour)),
			Fields: []string{"type", "commit", "seq", "7500", "origId", "1-1", "deliveries", "10"}}},
		cursor: reader.CursorState{Present: true, Raw: "8000", Seq: 8000, SidePresent: true,
			Side:   script.Side{Relay: "relay.example", EventTime: "2026-01-02T11:58:20Z"},
			Status: dashboard.Heartbeat{Present: true, Connected: true, URL: "wss://relay.example", Writer: "fhctl/host-1", TTL: 9 * time.Second}},
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
		change func(*facts)
		want   float64 // below 0: unknown
	}{
		"a silence slows it":                {func(f *facts) { f.at = noon.Add(10 * time.Second) }, 0.5},
		"a long silence ends it":            {func(f *facts) { f.at = noon.Add(IdleAfter) }, 0},
		"another clock may be off a little": {func(f *facts) { f.serverClock, f.at = false, noon.Add(5*time.Second) }, 1},
		"but not by much":                   {func(f *facts) { f.serverClock, f.at = false, noon.Add(30*time.Second) }, 0.25},
		"nor backwards":                     {func(f *facts) { f.serverClock, f.at = false, noon.Add(-time.Hour) }, 1},
		"one entry has none":                {func(f *facts) { f.sample.entries, f.sample.oldest = 1, f.sample.newest }, -1},
		"all in one millisecond":            {func(f *facts) { f.sample.oldest = f.sample.newest }, -1},
		"no sample":                         {func(f *facts) { f.sample = tally{} }, -1},
		"an empty stream":                   {func(f *facts) { f.sample, f.bounds = tally{}, reader.Bounds{} }, 0},
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
		change  func(*facts)
		entries int64 // below 0: none
		needs   string
		exact   bool
		lost    bool
	}{
		"pending entries are needed, too": {func(f *facts) {
			f.groups[0].Pending, f.groups[0].OldestPending = 5, entryAt(500*time.Second, 7500).ID
		}, 499, "pending", false, false},
		"an estimate stays one":        {func(f *facts) { f.groups[0].LagExact = false }, 900, "unread", false, false},
		"nothing is trimmed":           {func(f *facts) { f.maxLength, f.added = 0, 1000 }, -1, "", false, false},
		"a limit that is not ours":     {func(f *facts) { f.maxLength, f.added = 0, 5000 }, 900, "unread", true, false},
		"the writer trims earlier":     {func(f *facts) { f.maxLength = 500_000 }, 900, "unread", true, false},
		"the stream is not full yet":   {func(f *facts) { f.maxLength, f.added = 500_000, 1000 }, 499_900, "unread", true, false},
		"the writer trims later":       {func(f *facts) { f.maxLength, f.bounds.Length = 10, 5000 }, 4900, "unread", true, false},
		"trimming passed the group":    {behind(-1), 0, "unread", true, true},
		"but it had read what is gone": {behind(4000), 0, "unread", true, false},
		"it had not":                   {behind(3999), 0, "unread", true, true},
		"a server that does not count": {func(f *facts) { behind(-1)(f); f.added = -1 }, 0, "unread", true, true},
		"a group that has just begun":  {func(f *facts) { behind(-1)(f); f.groups[0].LastDelivered = "0-0" }, 0, "unread", true, false},
		"nothing was ever trimmed":     {func(f *facts) { behind(-1)(f); f.added = 1000 }, 0, "unread", true, false},
		"the oldest pending is trimmed": {func(f *facts) {
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
func behind(read int64) func(*facts) {
	return func(f *facts) {
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
	f.cursorEntry = reader.Stored{}
	if c := f.report().Cursor; c.AgeSeconds != nil || c.Window.LeftSeconds != nil || c.TimeFrom != "" {
		t.Errorf("an age out of nothing: %+v", c)
	}
	f.cursor = reader.CursorState{Present: true, Raw: "abc", NotSeq: true}
	if c := f.report().Cursor; c.Seq != nil || c.Raw != "abc" {
		t.Errorf("no number: %+v", c)
	}
	f.cursor = reader.CursorState{}
	if c := f.report().Cursor; c.Present || c.Relay != nil {
		t.Errorf("no cursor: %+v", c)
	}
}

func TestTallyIsBounded(t *testing.T) {
	var sample tally
	var look entry.Outline
	for i := range shareNames + 50 {
		data := fmt.Sprintf(`{"repo":"did:plc:x","ops":[{"action":"create","path":"a.b.c%d/k"}]}`, i)
		sample.add(reader.Stored{ID: "5-5", Fields: []string{"type", "commit", "data", data}}, &look)
	}
	sample.add(reader.Stored{ID: "4-0", Fields: []string{"type", "commit", "data", "no JSON"}}, &look)
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
		limits Limits
		groups []string
		change func(*facts)
		want   string
	}{
		"none":                 {Limits{}, nil, nil, ""},
		"at the limit":         {Limits{Lag: &hundred, Pending: &few}, nil, nil, "ok ok"},
		"above":                {Limits{Lag: &ninetyNine}, nil, nil, "failed"},
		"all":                  {Limits{Lag: &ninetyNine, LagSeconds: &second, Pending: &few, CursorAge: &minute}, nil, nil, "failed failed ok failed"},
		"no group":             {Limits{Lag: &hundred}, nil, func(f *facts) { f.groups = nil }, "unknown"},
		"a group that is gone": {Limits{Lag: &hundred}, []string{"workers", "gone"}, nil, "unknown ok"},
		"one gone, one behind": {Limits{Lag: &ninetyNine}, []string{"workers", "gone"}, nil, "unknown failed"},
		"no stream":            {Limits{Lag: &hundred}, nil, func(f *facts) { f.exists, f.groups = false, nil }, "unknown"},
		"no cursor":            {Limits{CursorAge: &minute}, nil, func(f *facts) { f.cursor = reader.CursorState{} }, "unknown"},
		"a broken cursor":      {Limits{CursorAge: &minute}, nil, func(f *facts) { f.cursor, f.cursorWhy = reader.CursorState{}, "it is a list" }, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			f := madeUp()
			if tc.change != nil {
				tc.change(f)
			}
			var got []string
			for _, c := range tc.limits.judge(f.report(), tc.groups) {
				got = append(got, c.Status)
				if c.Detail == "" {
					t.Errorf("%s says nothing", c.Name)
				}
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%v, want %s", got, tc.want)
			}
		})
	}
}

// What people are told in words of their own is in the report.
func TestReportsNoticeWhatIsSpecial(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*facts)
		said   func(*Report) bool
	}{
		"the writer keeps more": {func(f *facts) { f.bounds.Length = 5000 },
			func(r *Report) bool { return r.Stream.TrimObserved && *r.Stream.TrimAt == 5000 }},
		"the writer keeps fewer": {func(f *facts) { f.maxLength = 500_000 },
			func(r *Report) bool { return r.Stream.TrimObserved && *r.Stream.TrimAt == 1000 }},
		"trimmed by somebody": {func(f *facts) { f.maxLength = 0 },
			func(r *Report) bool { return r.Stream.TrimObserved && *r.Stream.TrimAt == 1000 }},
		"never trimmed": {func(f *facts) { f.maxLength, f.added = 0, 1000 },
			func(r *Report) bool { return r.Stream.TrimAt == nil && r.Room == nil }},
		"no group": {func(f *facts) { f.groups = nil },
			func(r *Report) bool { return r.Room == nil && len(r.Groups) == 0 }},
		"entries are gone": {behind(10),
			func(r *Report) bool {
				return r.Groups[0].LostUnread && r.Room.Entries == 0 && r.Room.Needs == "unread"
			}},
		"entries are about to go": {func(f *facts) { f.groups[0].Lag = 1000 },
			func(r *Report) bool { return !r.Groups[0].LostUnread && r.Room.Entries == 0 }},
		"nothing comes": {func(f *facts) { f.at = noon.Add(time.Hour) },
			func(r *Report) bool { return *r.Rate.PerSecond == 0 }},
		"little comes": {func(f *facts) { f.sample.oldest = entryAt(1000*time.Second, 1).ID },
			func(r *Report) bool { return *r.Rate.PerSecond == 0.01 }},
		"no memory": {func(f *facts) { f.memoryWhy = "not allowed" },
			func(r *Report) bool {
				return r.Stream.MemoryBytes == nil && r.Stream.MemoryUnknown == "not allowed"
			}},
		"no dead letters to see": {func(f *facts) { f.dead = reader.DeadLetters{Why: "not allowed"} },
			func(r *Report) bool {
				return r.DeadLetters.Length == nil && r.DeadLetters.Unknown == "not allowed"
			}},
		"the window was left": {func(f *facts) { f.window = time.Minute },
			func(r *Report) bool { return *r.Cursor.Window.LeftSeconds == -40 && r.Cursor.Window.Assumed }},
		"another relay": {func(f *facts) { f.relay = "other.example" },
			func(r *Report) bool { return r.Cursor.OtherRelay }},
		"the bridge's cursor": {func(f *facts) { f.cursor.SidePresent = false },
			func(r *Report) bool { return r.Cursor.RelayAssumed && *r.Cursor.Relay == "bsky.network" }},
		"a replay's cursor": {func(f *facts) { f.cursor.Side.Relay, f.relay = "replay:x", "other.example" },
			func(r *Report) bool {
				return !r.Cursor.OtherRelay && r.Cursor.Window.LeftSeconds == nil && r.Cursor.AgeSeconds != nil
			}},
		"no heartbeat": {func(f *facts) { f.cursor.Status = dashboard.Heartbeat{} },
			func(r *Report) bool { return r.Cursor.Writer == nil }},
		"a cursor that is no number": {func(f *facts) { f.cursor.NotSeq, f.cursor.Raw = true, "a\x1bb" },
			func(r *Report) bool { return r.Cursor.Seq == nil && r.Cursor.Raw == "a\x1bb" }},
	} {
		t.Run(name, func(t *testing.T) {
			f := madeUp()
			tc.change(f)
			if r := f.report(); !tc.said(r) {
				t.Errorf("stream %+v, room %+v, cursor %+v", r.Stream, r.Room, r.Cursor)
			}
		})
	}
}
