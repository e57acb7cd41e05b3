package coverage

import (
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// now is after everything that these tests store.
var now = time.UnixMilli(1767323600_000)

func seq(n event.Seq) place.Place { return place.Place{Kind: place.Seq, Seq: n, Text: n.String()} }

func at(milli int64) place.Place {
	return place.Place{Kind: place.Time, Time: time.UnixMilli(milli), Text: "then"}
}

func id(text string) place.Place { return place.Place{Kind: place.ID, ID: text, Text: text} }

// A range may begin before what is stored, by seq, time or id; by less than the ids'
// millisecond it does not.
func TestBeginningLacks(t *testing.T) {
	t.Parallel()
	begins := Beginning{Seq: 101, ID: "1767323045000-1"}
	for what, v := range map[string]struct {
		from  place.Place
		lacks bool
	}{
		"nothing asked": {place.Place{}, false}, "the oldest": {place.Place{Kind: place.Oldest}, false},
		"a lower seq": {seq(100), true}, "its seq": {seq(101), false},
		"a time before": {at(1767323044_999), true}, "its time": {at(1767323045_000), false}, "within its millisecond": {place.Place{Kind: place.Time, Time: time.UnixMicro(1767323045_000_500)}, false},
		"an id before": {id("1767323045000-0"), true}, "its id": {id("1767323045000-1"), false},
	} {
		if got := begins.Lacks(v.from, "the stream"); (got != "") != v.lacks || v.lacks && !strings.Contains(got, "the stream begins with seq 101, stored 2026-01-02 03:04:05Z") {
			t.Errorf("%s: %q", what, got)
		}
	}
	unnumbered := Beginning{ID: "1767323045000-1"}
	if got := unnumbered.Lacks(seq(1), "x"); got != "" {
		t.Errorf("no seq is known: %q", got)
	}
	if got := unnumbered.Lacks(at(0), "x"); !strings.Contains(got, "x begins with entry 1767323045000-1, stored ") {
		t.Errorf("an entry without a seq: %q", got)
	}
}

// A range may end behind what is stored: a seq until the cursor has reached it, a time or
// an id only when it is still to come.
func TestEndLacks(t *testing.T) {
	t.Parallel()
	last := reader.Stored{ID: "1767323050000-0", Fields: []string{"type", "identity", "data", "{}", "seq", "104"}}
	for what, v := range map[string]struct {
		to      place.Place
		reached event.Seq
		lacks   bool
	}{
		"nothing asked": {place.Place{}, 0, false}, "the last seq": {seq(104), 0, false}, "a higher seq": {seq(105), 0, true}, "what the cursor reached": {seq(105), 105, false},
		"a time that has passed": {at(now.UnixMilli() - 1), 0, false}, "a time to come": {at(now.UnixMilli() + 1), 0, true},
		"an id that has passed": {id("1767323050000-9"), 0, false}, "an id to come": {id("1767323600001-0"), 0, true},
	} {
		if got := LacksEnd(v.to, last, v.reached, "the stream", now); (got != "") != v.lacks || v.lacks && !strings.Contains(got, "the stream ends with seq 104, stored 2026-01-02 03:04:10Z") {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// A set begins to hold everything where the last of its trimmed partitions begins; one
// that was never trimmed lacks nothing.
func TestBeginningOfASet(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t) // the embedded server does not tell how many entries were added
	server := redistest.Start(t)
	for n, key := range []string{"s:{0}", "s:{0}", "s:{1}", "s:{1}", "s:{0}", "s:{2}"} {
		server.Do("XADD", key, 1000*(n+1), "type", "identity", "data", "{}", "seq", 101+n)
	}
	stream, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: server.URL()}, StreamKey: "s", Partitions: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	begins := func(what string, want Beginning) {
		t.Helper()
		bounds, err := stream.Bounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := BeginningOf(t.Context(), stream, bounds); err != nil || got != want {
			t.Errorf("%s: begins with %+v, %v; want %+v", what, got, err, want)
		}
	}
	begins("untrimmed", Beginning{101, "1000-0"})
	server.Do("XTRIM", "s:{1}", "MAXLEN", 1)
	begins("the second is trimmed", Beginning{104, "4000-0"})
	server.Do("XTRIM", "s:{0}", "MAXLEN", 1)
	begins("the first is trimmed further", Beginning{105, "5000-0"})
}

// Of a recording it is known where it ends once it was read whole.
func TestFramesLack(t *testing.T) {
	t.Parallel()
	frames := func(from, to place.Place, whole bool) Frames {
		f := Frames{From: from, To: to}
		for n := range 5 {
			f.Holds(relaytest.Frame("#identity", map[string]any{
				"seq": 101 + n, "did": "did:plc:aaaabbbbccccddddeeeeffff", "time": time.UnixMilli(1767323045_000 + 1000*int64(n)).UTC().Format(time.RFC3339),
			}), event.Seq(101+n))
		}
		f.Whole = whole
		return f
	}
	for what, v := range map[string]struct {
		f     Frames
		kept  int64
		lacks int
	}{
		"all of it":           {frames(place.Place{}, place.Place{}, true), 5, 0},
		"a part":              {frames(seq(102), seq(103), true), 2, 0},
		"from before":         {frames(seq(100), seq(103), true), 3, 1},
		"from before by time": {frames(at(1767323044_000), place.Place{}, true), 5, 1},
		"both ends":           {frames(seq(1), seq(200), true), 5, 2},
		"an end, half read":   {frames(seq(102), seq(200), false), 4, 0},
		"an end, by time":     {frames(at(1767323047_000), at(now.UnixMilli()), true), 3, 1},
	} {
		if lacks := v.f.Lacks(); v.f.Kept != v.kept || len(lacks) != v.lacks {
			t.Errorf("%s: %d frames, lacks %q", what, v.f.Kept, lacks)
		}
	}
}
