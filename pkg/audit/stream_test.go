package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/verify"
)

// What is wrong with a stream, or with its cursor, is found.
func TestStreamsAreChecked(t *testing.T) {
	t.Parallel()
	for what, v := range map[string]struct {
		seqs   []int
		cursor any // nil stores none
		find   map[verify.Rule]int64
	}{
		"sound":            {[]int{101, 102, 103}, 103, nil},
		"a gap":            {[]int{101, 103, 106}, 106, map[verify.Rule]int64{verify.SeqGap: 2}},
		"no cursor":        {[]int{101, 102}, nil, map[verify.Rule]int64{verify.CursorMissing: 1}},
		"a cursor behind":  {[]int{101, 102}, 101, map[verify.Rule]int64{verify.CursorBehind: 1}},
		"a cursor ahead":   {[]int{101, 102}, 110, map[verify.Rule]int64{verify.CursorAhead: 1}},
		"a cursor of junk": {[]int{101, 102}, "junk", map[verify.Rule]int64{verify.CursorInvalid: 1}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			add(server, key, v.seqs...)
			if v.cursor != nil {
				server.Do("SET", cursor, v.cursor)
			}
			sum, err := Stream(t.Context(), open(t, server, key, 1), Stretch{}, Options{CursorFix: "as a test says"})
			finds(t, what, sum, err, v.find)
			if sum.Items != int64(len(v.seqs)) || sum.Cursor == nil || sum.Cursor.Key != cursor {
				t.Errorf("%d entries, cursor %+v", sum.Items, sum.Cursor)
			}
			for _, c := range sum.Rules {
				if strings.HasPrefix(string(c.Rule), "cursor-") != (c.Fix == "as a test says") {
					t.Errorf("%s advises %q", c.Rule, c.Fix)
				}
			}
		})
	}
}

// Of a stretch only what lies in it is judged, and the cursor where it is the end's. What
// is not stored of it is said.
func TestStretchesOfAStream(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	add(server, key, 101, 102)
	server.Do("XADD", key, "1767323102000-1", "type", "account", "data", sound, "seq", 102)
	add(server, key, 103, 104)
	server.Do("SET", cursor, 104)
	stream := open(t, server, key, 1)
	repeated := map[verify.Rule]int64{verify.SeqDuplicate: 1}
	for what, v := range map[string]struct {
		stretch Stretch
		items   int64
		cursor  bool
		find    map[verify.Rule]int64
	}{
		"whole":           {Stretch{}, 5, true, repeated},
		"from a seq":      {seqs(103, 0), 2, true, nil},
		"up to a seq":     {seqs(0, 101), 1, false, nil},
		"around":          {seqs(102, 103), 3, false, repeated},
		"from before":     {seqs(50, 101), 1, false, map[verify.Rule]int64{verify.RangeTrimmed: 1}},
		"newest":          {Stretch{From: place.Place{Kind: place.Newest}, To: place.Place{Kind: place.Newest}}, 1, true, nil},
		"to more to come": {seqs(103, 200), 2, true, map[verify.Rule]int64{verify.RangeTrimmed: 1}},
	} {
		var told []Progress
		sum, err := Stream(t.Context(), stream, v.stretch, Options{Progress: func(p Progress) { told = append(told, p) }})
		finds(t, what, sum, err, v.find)
		if sum.Items != v.items || (sum.Cursor != nil) != v.cursor || len(sum.Lacks) != int(v.find[verify.RangeTrimmed]) {
			t.Errorf("%s: %d entries, cursor %+v, lacks %q", what, sum.Items, sum.Cursor, sum.Lacks)
		}
		if len(told) != 1 || told[0] != (Progress{}) {
			t.Errorf("%s: told %+v", what, told)
		}
	}
}

// Where there is nothing to check no verdict is given, and an error says what there is.
func TestNothingIsNoVerdict(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	stream := open(t, server, key, 1)
	none := Options{Progress: func(Progress) { t.Error("reading began") }}

	sum, err := Stream(t.Context(), stream, Stretch{}, none)
	if m, ok := errors.AsType[*MissingStream](err); sum != nil || !ok || m.Key != key || m.Other || !errors.Is(err, reader.ErrNoStream) || fault.ClassOf(err) != fault.Unreachable {
		t.Errorf("no stream: %+v, %v", sum, err)
	}
	server.Do("XGROUP", "CREATE", key, "g", "0", "MKSTREAM")
	isNothing := func(what, hint string, s Stretch) {
		sum, err := Stream(t.Context(), stream, s, none)
		if n, ok := errors.AsType[*Nothing](err); sum != nil || !ok || n.Other || n.What != "entries" || fault.ClassOf(err) != fault.Unreachable || !strings.Contains(fault.HintOf(err), hint) {
			t.Errorf("%s: %+v, %v, hint %q", what, sum, err, fault.HintOf(err))
		}
	}
	isNothing("an empty stream", fault.Remedy{Do: fault.Ingest}.String()+" fills it", Stretch{})
	add(server, key, 101, 109)
	isNothing("before it", "it holds seq 101 to 109, ids 1767323101000-0 to 1767323109000-0", seqs(1, 100))
	isNothing("behind it", "it holds seq 101 to 109", seqs(110, 0))
	isNothing("in a hole", "it holds seq 101 to 109", seqs(102, 108))
}

// An audit that is ended early says what it covered until then.
func TestStreamEndedEarly(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for from := range 12 {
		var all []int
		for n := range 100 {
			all = append(all, 1+100*from+n)
		}
		add(server, key, all...)
	}
	server.Do("SET", cursor, 1200)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	r, err := reader.Open(ctx, reader.Config{Connection: *open(t, server, key, 1).Connection(), Page: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	sum, err := Stream(ctx, r, Stretch{}, Options{Progress: func(p Progress) {
		if p.Done > 0 {
			cancel(why)
		}
	}})
	if err == nil || sum == nil || sum.Items < tellEach || sum.Items == 1200 || sum.Cursor != nil {
		t.Errorf("%+v, %v", sum, err)
	}
}

// A set is read as one stream: gaps count across its partitions, from where none was
// trimmed to where all have come, and each cursor is judged.
func TestSetsAreChecked(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t) // the embedded server does not tell how many entries were added
	server := redistest.Start(t)
	one, two := keyspace.Partition(key, 0), keyspace.Partition(key, 1)
	home, other := one, two
	if partitionOf(sound, 2) == 1 {
		home, other = two, one
	}
	add(server, home, 101, 102, 104, 105)
	server.Do("XADD", other, "1767323103000-0", "type", "account", "data", sound, "seq", 103)
	server.Do("SET", keyspace.Partition(cursor, 0), 105)
	server.Do("SET", keyspace.Partition(cursor, 1), 103)
	if home == two {
		server.Do("SET", keyspace.Partition(cursor, 0), 103)
		server.Do("SET", keyspace.Partition(cursor, 1), 105)
	}
	set := open(t, server, key, 2)
	sum, err := Stream(t.Context(), set, Stretch{}, Options{})
	finds(t, "an entry of another partition", sum, err, map[verify.Rule]int64{verify.PartitionWrong: 1})
	if sum.Items != 5 || !strings.HasPrefix(sum.First.ID, "{") {
		t.Errorf("%d entries from %+v", sum.Items, sum.First)
	}

	// 104 and 105 are not reached by the other partition: a gap there may still be filled.
	server.Do("XADD", home, "1767323108000-0", "type", "account", "data", sound, "seq", 108)
	sum, err = Stream(t.Context(), set, seqs(103, 0), Options{})
	behind := map[verify.Rule]int64{verify.PartitionWrong: 1, verify.CursorBehind: 1}
	finds(t, "a writer is between two partitions", sum, err, behind)
	server.Do("SET", keyspace.Partition(cursor, 0), 108)
	server.Do("SET", keyspace.Partition(cursor, 1), 108)
	sum, err = Stream(t.Context(), set, seqs(103, 0), Options{})
	if n := counts(sum); err != nil || n[verify.SeqGap] != 1 {
		t.Errorf("all have come to 108: %v, %v", n, err)
	}
}

// What somebody removed is found: what Redis remembers, and what the ledger of losses
// says. A ledger that is none is told of, and fails nothing.
func TestRemovedEntriesAreFound(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t) // the embedded server does not remember
	server := redistest.Start(t)
	add(server, key, 101, 102, 103)
	server.Do("SET", cursor, 103)
	server.Do("XDEL", key, "1767323102000-0")
	server.Do("XADD", keyspace.Ledger(cursor), "1767323103500-0", "from", 90, "to", 95, "added", 3)
	server.Do("XADD", keyspace.Ledger(cursor), "1767323103500-1", "group", "g", "from", 90, "to", 95)
	stream := open(t, server, key, 1)
	sum, err := Stream(t.Context(), stream, Stretch{}, Options{})
	finds(t, "removed", sum, err, map[verify.Rule]int64{verify.SeqGap: 1, verify.EntryDeleted: 1, verify.EntriesGone: 1})

	server.Do("DEL", keyspace.Ledger(cursor))
	server.Do("SET", keyspace.Ledger(cursor), "junk")
	log, said := logged()
	sum, err = Stream(t.Context(), stream, Stretch{}, Options{Logger: log})
	finds(t, "no ledger", sum, err, map[verify.Rule]int64{verify.SeqGap: 1, verify.EntryDeleted: 1})
	if !strings.Contains(said(), "could not be looked up in the ledger of losses") {
		t.Errorf("logged %q", said())
	}
}

// The rules that the audit knows better are its own: a caller's are not used.
func TestRulesThatTheAuditKnowsBetter(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	add(server, key, 101, 104)
	server.Do("SET", cursor, 104)
	var told []verify.Rule
	sum, err := Stream(t.Context(), open(t, server, key, 1), Stretch{}, Options{Rules: verify.Config{
		Strict: true, Partitions: 7, GapsFrom: 1000, Uncovered: func() []string { return []string{"all"} },
		Report: func(f verify.Finding) { told = append(told, f.Rule) },
	}})
	finds(t, "strictly", sum, err, map[verify.Rule]int64{verify.SeqGap: 1})
	if sum.Clean() || !slices.Equal(told, []verify.Rule{verify.SeqGap}) {
		t.Errorf("clean %v, told %v", sum.Clean(), told)
	}
}

// What was read is read again by the names that findings give entries: of a set, in all
// its partitions.
func TestEntriesAreReadAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	add(server, "one", 101, 102, 103, 104)
	add(server, "set:{0}", 101, 103)
	add(server, "set:{1}", 102, 104, 160)
	for what, v := range map[string]struct {
		stream   *reader.Reader
		from, to string
		want     string
	}{
		"one stream": {open(t, server, "one", 1), "1767323102000-0", "1767323103000-0", "102 1767323102000-0|103 1767323103000-0"},
		"a set": {open(t, server, "set", 2), "{1}:1767323102000-0", "{0}:1767323103000-0",
			"101 {0}:1767323101000-0|102 {1}:1767323102000-0|103 {0}:1767323103000-0|104 {1}:1767323104000-0"},
	} {
		var got []string
		for m, err := range reread(t.Context(), v.stream, v.from, v.to) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Seq.String()+" "+m.ID)
		}
		if strings.Join(got, "|") != v.want {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// A cursor that is ahead of the last entry is asked about again while a writer is at
// work: the entry, or the note that there is none, may be on its way.
func TestCursorAheadIsWaitedFor(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	add(server, key, 101, 102)
	server.Do("SET", cursor, 105)
	server.Do("SET", cursor+":meta", `{"relay":"r","filter":"none","partitions":1,"stored":102,"upto":102}`)
	server.Do("SET", "firehose:status", fmt.Sprintf(`{"connected":true,"last_update":%q}`, time.Now().UTC().Format(time.RFC3339)), "EX", 60)
	var looks atomic.Int64 // at the cursor: twice each time, around the last entry
	man := redistest.NewMiddleman(t, server.Addr(), func(command []string) string {
		if strings.EqualFold(command[0], "get") && command[1] == cursor && looks.Add(1) == 3 {
			server.Do("SET", cursor+":meta", `{"relay":"r","filter":"none","partitions":1,"stored":102,"upto":105}`)
		}
		return ""
	})
	r, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: man.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	sum, err := Stream(t.Context(), r, Stretch{}, Options{})
	finds(t, "the note came", sum, err, nil)
	if n := looks.Load(); n != 4 {
		t.Errorf("looked %d times at the cursor", n)
	}
}
