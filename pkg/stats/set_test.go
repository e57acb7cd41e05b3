package stats

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// pairOf is the report of a set of two, each made up and then changed.
func pairOf(a, b func(*facts)) *Report {
	one, two := madeUp(), madeUp()
	for _, x := range []struct {
		f      *facts
		change func(*facts)
	}{{one, a}, {two, b}} {
		if x.change != nil {
			x.change(x.f)
		}
	}
	return addUp([]*Report{one.report(), two.report()}, "firehose:events:{0-1}", "firehose:python_cursor:{0-1}", 2000)
}

func TestSetsAddUpWhatIsCounted(t *testing.T) {
	r := pairOf(nil, func(f *facts) {
		f.groups[0].Lag, f.groups[0].LagExact, f.groups[0].EntriesRead = 300, false, -1
		f.sample.entries, f.sample.bytes, f.sample.kinds = 9, 7800, map[string]*Share{"identity": {Name: "identity", Count: 9, Bytes: 7800}}
	})
	near(t, "rate", r.Rate.PerSecond, 1.8)
	near(t, "span at rate", r.Stream.SpanAtRateSeconds, 2000/1.8)
	if r.Stream.Length != 2000 || *r.Stream.EntriesAdded != 10_000 || *r.Stream.MemoryBytes != 6<<20 || *r.Stream.TrimAt != 2000 || r.Stream.MaxLength != 2000 {
		t.Errorf("stream %+v", r.Stream)
	}
	g := r.Groups[0]
	if len(r.Groups) != 1 || g.Lag != 400 || g.LagExact || g.EntriesRead != nil || len(g.Consumers) != 1 || g.MissingIn != nil {
		t.Errorf("groups %+v", r.Groups)
	}
	if r.Room == nil || r.Room.Entries != 700 {
		t.Errorf("room %+v is not the least of any partition", r.Room)
	}
	if s := r.Sample; s.Entries != 20 || len(s.Kinds) != 3 || s.Kinds[0] != (Share{"identity", 9, 0.45, 7800, 0.78}) || s.Kinds[1].BytesShare != 0.2 || s.Collections[0].CountShare != 1 {
		t.Errorf("sample %+v", s)
	}
	if len(r.Partitions) != 2 || r.Partitions[1].Groups[0].Lag != 300 || r.Partitions[0].Groups[0].Lag != 100 {
		t.Errorf("partitions %+v", r.Partitions)
	}
}

// What is not known of one partition is not known of the set.
func TestSetsKnowWhatAllPartitionsTell(t *testing.T) {
	r := pairOf(nil, func(f *facts) {
		f.memoryWhy, f.added, f.lossesWhy = "not allowed", -1, "not allowed"
		f.groups[0].Consumers[0].Idle = -1
	})
	if r.Stream.MemoryBytes != nil || r.Stream.MemoryUnknown == "" || r.Stream.EntriesAdded != nil || r.Losses.Unknown == "" || r.Groups[0].Consumers[0].IdleSeconds != nil {
		t.Errorf("stream %+v, losses %+v, consumers %+v", r.Stream, r.Losses, r.Groups[0].Consumers)
	}
	if r = pairOf(nil, func(f *facts) { f.groups = nil }); !slices.Equal(r.Groups[0].MissingIn, []int{1}) {
		t.Errorf("a partition that nobody reads: %+v", r.Groups)
	}
	r = pairOf(nil, func(f *facts) { f.groups, f.bounds, f.exists = nil, reader.Bounds{}, false })
	if r.Groups[0].MissingIn != nil || !r.Stream.Exists {
		t.Errorf("nothing to read there yet: %+v", r.Groups)
	}
}

// Of the cursors the lowest counts, one that is unusable before it: ingest would not
// go on.
func TestSetsHaveTheLowestCursor(t *testing.T) {
	at := func(seq event.Seq) func(*facts) {
		return func(f *facts) { f.cursor.Seq, f.cursor.Raw = seq, seq.String() }
	}
	none := func(f *facts) { f.cursor = reader.CursorState{} }
	broken := func(f *facts) { f.cursor = reader.CursorState{Present: true, Raw: "abc", NotSeq: true} }
	unknown := func(f *facts) { f.cursor, f.cursorWhy = reader.CursorState{}, "it is a list" }
	for name, tc := range map[string]struct {
		a, b func(*facts)
		want string
	}{
		"the first":            {at(5), at(6), "5"},
		"the second":           {at(6), at(5), "5"},
		"missing in one":       {at(6), none, "6"},
		"missing in the other": {none, at(6), "6"},
		"nowhere":              {none, none, ""},
		"no number":            {at(6), broken, "abc"},
		"no number, first":     {broken, at(6), "abc"},
		"unreadable":           {at(6), unknown, "it is a list"},
		"unreadable, first":    {unknown, at(6), "it is a list"},
	} {
		r := pairOf(tc.a, tc.b)
		if got := r.Cursor.Raw + r.Cursor.Unknown; got != tc.want || r.Cursor.Key != "firehose:python_cursor:{0-1}" {
			t.Errorf("%s: %q of %s, want %q", name, got, r.Cursor.Key, tc.want)
		}
	}
}

func TestSetsShowTheNewestLosses(t *testing.T) {
	lost := func(minute int) func(*facts) {
		return func(f *facts) {
			for i := range shownLosses {
				f.losses = append(f.losses, reader.Loss{Trim: event.Trim{Unread: 1}, Until: noon.Add(-time.Duration(minute+2*i) * time.Minute)})
			}
		}
	}
	r := pairOf(lost(1), lost(0))
	for i, l := range r.Losses.Newest {
		if want := noon.Add(-time.Duration(i) * time.Minute); !l.Until.Equal(want) {
			t.Errorf("line %d is of %v, want %v", i, l.Until, want)
		}
	}
	if len(r.Losses.Newest) != shownLosses {
		t.Errorf("%d lines", len(r.Losses.Newest))
	}
}

// A set is read partition by partition, each with its share of sample and limit.
func TestPartitionsAreCollected(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		for seq := 1; seq <= 30; seq++ {
			key := keyspace.Partition("s", seq%3/2) // a third of them in the second
			server.Do("xadd", key, fmt.Sprintf("%d-0", seq), "type", "identity", "data", `{"did":"did:plc:x"}`, "seq", seq)
		}
		server.Do("xgroup", "create", keyspace.Partition("s", 0), "g", "0")
		for i, cursor := range []int{30, 29} {
			server.Do("set", keyspace.Partition("c", i), cursor)
		}
		reader, err := reader.Open(t.Context(), reader.Config{
			Connection: conn.Connection{URL: server.URL()}, StreamKey: "s", CursorKey: "c", Partitions: 2,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = reader.Close() })
		lag := int64(19)
		r, err := Collect(t.Context(), reader, Options{Sample: 10, MaxLength: 101, Limits: Limits{Lag: &lag}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Stream.Length != 30 || r.Stream.LastSeq() != 30 || r.Stream.MaxLength != 101 || r.Sample.Entries != 10 || r.Cursor.Raw != "29" {
			t.Errorf("stream %+v, sample %+v, cursor %+v", r.Stream, r.Sample, r.Cursor)
		}
		for i, length := range []int64{20, 10} {
			if s := r.Partitions[i].Stream; s.Length != length || s.MaxLength != 51 || s.Key != keyspace.Partition("s", i) {
				t.Errorf("partition %d: %+v", i, s)
			}
		}
		if g := r.Group("g"); g == nil || g.Lag != 20 || !slices.Equal(g.MissingIn, []int{1}) {
			t.Errorf("groups %+v", r.Groups)
		}
		if len(r.Checks) != 1 || r.Checks[0].Status != Failed || r.Checks[0].Detail != "group g is 20 entries behind, more than 19" {
			t.Errorf("checks %+v", r.Checks)
		}
	})
}
