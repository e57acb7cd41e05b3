package verify

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/thirdparty"
	"github.com/fhctl/fhctl/pkg/verify/block"
)

func TestRealAndSimulatedEntriesAreClean(t *testing.T) {
	simulated, _ := simFrames(t, 3000)
	for name, frames := range map[string]func(testing.TB) [][]byte{
		"real": thirdparty.Frames, "simulated": func(testing.TB) [][]byte { return simulated },
	} {
		t.Run(name, func(t *testing.T) {
			list := entries(t, frames(t))
			found, sum := listed(t, list, Config{}, nil)
			found = slices.DeleteFunc(found, func(f string) bool { return strings.HasPrefix(f, "seq-gap") })
			if len(found) > 0 || !sum.Clean() {
				t.Errorf("found %q", found)
			}
			if sum.Items != int64(len(list)) || sum.Checked != sum.Items || sum.Records < sum.Items/2 {
				t.Errorf("covered %+v", sum)
			}
		})
	}
}

const (
	did    = "did:plc:aaaabbbbccccddddeeeeffff"
	record = `{"$type":"app.bsky.feed.post","text":"hej","createdAt":"2026-01-02T03:04:05.000Z","embed":{"$type":"app.bsky.embed.images","images":[{"alt":"","image":{"$type":"blob","ref":{"$link":"bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm"},"mimeType":"image/png","size":321}}]}}`
	// cid is the record's, as the contract prints it.
	cid = "bafyreifgdu2sih3s5pcblmx3bcbrqwbxfcrqimormrj4d5bc6ynukvvqia"
)

func create(record string) string {
	return `{"repo":"` + did + `","ops":[{"action":"create","path":"app.bsky.feed.post/3kaaaaaaaaa2a","cid":"` + cid + `","record":` + record + `}]}`
}

// sound is a stream of seqs 101 to 120 without a gap.
func sound() (list []Entry) {
	for n := range 20 {
		typ, data := "commit", create(record)
		switch n % 5 {
		case 1:
			data = `{"repo":"` + did + `","ops":[{"action":"delete","path":"app.bsky.feed.like/3kbbbbbbbbb2b"}]}`
		case 2:
			typ, data = "identity", `{"did":"`+did+`","handle":null}`
		case 3:
			typ, data = "account", `{"did":"`+did+`","active":false,"status":"deleted"}`
		case 4:
			data = `{"repo":"` + did + `","ops":[]}`
		}
		list = append(list, Entry{ID: fmt.Sprintf("1700000000%03d-0", n), Fields: []string{"type", typ, "data", data, "seq", fmt.Sprint(101 + n)}})
	}
	return list
}

// altered replaces text in the record of seq 106.
func altered(from, to string) func([]Entry) []Entry {
	return func(list []Entry) []Entry {
		if !strings.Contains(record, from) {
			panic("the record has no " + from)
		}
		list[5].Fields[3] = create(strings.Replace(record, from, to, 1))
		return list
	}
}

func holding(text string) func([]Entry) []Entry {
	return func(list []Entry) []Entry { list[5].Fields[3] = text; return list }
}

func typed(typ, text string) func([]Entry) []Entry {
	return func(list []Entry) []Entry { list[5].Fields[1], list[5].Fields[3] = typ, text; return list }
}

// Each fault yields the finding that names it, and nothing else.
func TestPlantedFaults(t *testing.T) {
	const rec = "ops[0].record"
	op := func(members string) string { return `{"repo":"` + did + `","ops":[{` + members + `}]}` }
	for name, v := range map[string]struct {
		plant func([]Entry) []Entry
		want  string // rule, seq, where
	}{
		"nothing": {func(list []Entry) []Entry { return list }, ""},
		"duplicate": {func(list []Entry) []Entry {
			twin := list[5]
			twin.ID = "1700000000005-1"
			return slices.Insert(list, 6, twin)
		}, "seq-duplicate 106 "},
		"late duplicate": {func(list []Entry) []Entry {
			twin := list[2]
			twin.ID = "1800000000000-0"
			return append(list, twin)
		}, "seq-duplicate 103 "},
		"gap": {func(list []Entry) []Entry { return slices.Delete(list, 5, 7) }, "seq-gap 108 "},
		"swap": {func(list []Entry) []Entry {
			list[5].Fields, list[6].Fields = list[6].Fields, list[5].Fields
			return list
		}, "seq-order 107 "},
		"swap at the start": {func(list []Entry) []Entry {
			list[0].Fields, list[1].Fields = list[1].Fields, list[0].Fields
			return list
		},
			"seq-order 102 "},
		"one late": {func(list []Entry) []Entry {
			return append(list[:5], append(list[6:12:12], append([]Entry{list[5]}, list[12:]...)...)...)
		}, "seq-order 106 "},
		"one far high": {func(list []Entry) []Entry { list[5].Fields[5] = "9007199254740991"; return list }, "seq-order 9007199254740991 |seq-gap 107 "},
		"seq":          {func(list []Entry) []Entry { list[5].Fields[5] = "1e6"; return list }, "seq-invalid 0 |seq-gap 107 "},

		"field order":   {func(list []Entry) []Entry { list[5].Fields = swapped(list[5].Fields, 0, 2); return list }, "field-order 106 "},
		"field missing": {func(list []Entry) []Entry { list[5].Fields = list[5].Fields[2:]; return list }, "field-missing 106 "},
		"no seq":        {func(list []Entry) []Entry { list[5].Fields = list[5].Fields[:4]; return list }, "field-missing 0 |seq-gap 107 "},
		"type":          {typed("#commit", create(record)), "type-unknown 106 "},
		"sync":          {typed("sync", `{"did":"`+did+`"}`), "type-unknown 106 "},
		"bad JSON":      {holding(`{"repo":"did:plc:x","ops":[}`), "data-json 106 data"},
		"not UTF-8":     {holding("{\"repo\":\"\xff\",\"ops\":[]}"), "data-json 106 data"},
		"trailing":      {holding(create(record) + "x"), "data-json 106 data"},
		"null":          {holding(`null`), "data-object 106 data"},
		"array":         {holding(`[]`), "data-object 106 data"},
		"no ops":        {holding(`{"repo":"` + did + `"}`), "data-key 106 data"},
		"ops null":      {holding(`{"repo":"` + did + `","ops":null}`), "data-key 106 ops"},
		"no repo":       {holding(`{"ops":[]}`), "data-key 106 data"},
		"reserved":      {holding(`{"repo":"` + did + `","ops":[],"seq":106}`), "data-reserved 106 seq"},
		"DID":           {holding(`{"repo":"did:plc","ops":[]}`), "did-syntax 106 repo"},
		"too large":     {holding(`{"repo":"` + did + `","ops":[],"pad":"` + strings.Repeat("x", MaxData) + `"}`), "data-size 106 data"},
		"many ops": {holding(`{"repo":"` + did + `","ops":[` + strings.TrimSuffix(strings.Repeat(`{"action":"delete","path":"a.b.c/d"},`, frame.MaxOps+1), ",") + `]}`),
			"data-size 106 ops"},
		"no handle":     {typed("identity", `{"did":"`+did+`"}`), "data-key 106 data"},
		"handle is DID": {typed("identity", `{"did":"`+did+`","handle":"`+did+`"}`), "handle-did 106 handle"},
		"handle odd":    {typed("identity", `{"did":"`+did+`","handle":"a b"}`), "handle-syntax 106 handle"},
		"active text":   {typed("account", `{"did":"`+did+`","active":"yes"}`), "data-key 106 active"},
		"status null":   {typed("account", `{"did":"`+did+`","active":true,"status":null}`), "data-key 106 status"},

		"no path":      {holding(op(`"action":"delete"`)), "data-key 106 ops[0]"},
		"odd path":     {holding(op(`"action":"delete","path":"a/b c"`)), "op-path-strict 106 ops[0].path"},
		"bad path":     {holding(op(`"action":"delete","path":"ab"`)), "op-path 106 ops[0].path"},
		"action":       {holding(op(`"action":"rename","path":"a.b.c/d"`)), "op-shape 106 ops[0].action"},
		"fat delete":   {holding(op(`"action":"delete","path":"a.b.c/d","cid":"` + cid + `"`)), "op-shape 106 ops[0]"},
		"op is text":   {holding(`{"repo":"` + did + `","ops":["x"]}`), "op-shape 106 ops[0]"},
		"no record":    {holding(op(`"action":"create","path":"a.b.c/d","cid":"` + cid + `"`)), "data-key 106 ops[0]"},
		"no cid":       {holding(op(`"action":"create","path":"a.b.c/d","record":` + record)), "data-key 106 ops[0]"},
		"cid upper":    {holding(strings.Replace(create(record), cid, strings.ToUpper(cid), 1)), "cid-syntax 106 ops[0].cid"},
		"cid of a raw": {holding(strings.Replace(create(record), cid, "bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm", 1)), "cid-syntax 106 ops[0].cid"},

		"missing $type":        {altered(`"$type":"app.bsky.feed.post",`, ``), "record-type 106 " + rec},
		"$type is a number":    {altered(`"app.bsky.feed.post"`, `1`), "record-type 106 " + rec + ".$type"},
		"missing inner $type":  {altered(`"$type":"app.bsky.embed.images",`, ``), "record-type 106 " + rec + ".embed"},
		"missing blob's $type": {altered(`"$type":"blob",`, ``), "record-type 106 " + rec + ".embed.images[0].image"},
		"py_type":              {altered(`"$type":"app.bsky.embed.images"`, `"py_type":"app.bsky.embed.images"`), "record-casing 106 " + rec + ".embed.py_type"},
		"snake_case":           {altered(`createdAt`, `created_at`), "record-casing 106 " + rec + ".created_at"},
		"all of the bridge": {holding(create(`{"created_at":"2026-01-02T03:04:05.000Z","text":"hej","facets":null,"py_type":"app.bsky.feed.post"}`)),
			"record-casing 106 " + rec + ".py_type"},
		"null optional":  {altered(`"text":"hej"`, `"text":"hej","facets":null`), "record-null 106 " + rec + ".facets"},
		"inner null":     {altered(`"alt":""`, `"alt":"","aspectRatio":null`), "record-null 106 " + rec + ".embed.images[0].aspectRatio"},
		"bare ref":       {altered(`{"$link":"bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm"}`, `"01551220"`), "record-link 106 " + rec + ".embed.images[0].image.ref"},
		"link not a CID": {altered(`bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm`, `nonsense`), "record-link 106 " + rec + ".embed.images[0].image.ref.$link"},
		"fat link":       {altered(`{"$link":`, `{"size":1,"$link":`), "record-link 106 " + rec + ".embed.images[0].image.ref"},
		"fraction":       {altered(`321`, `321.0`), "record-number 106 " + rec + ".embed.images[0].image.size"},
		"too long":       {altered(`321`, `9223372036854775808`), "record-number 106 " + rec + ".embed.images[0].image.size"},
		"other text":     {altered(`hej`, `HEJ`), "record-cid 106 " + rec},
		"key twice":      {altered(`"text":"hej"`, `"text":"hej","text":"hej"`), "record-cid 106 " + rec + ".text"},
		"record is text": {holding(create(`"x"`)), "record-type 106 " + rec},

		"other key order": {holding(create(`{"text":"hej","embed":{"images":[{"image":{"size":321,"ref":{"$link":"bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm"},"$type":"blob","mimeType":"image/png"},"alt":""}],"$type":"app.bsky.embed.images"},"$type":"app.bsky.feed.post","createdAt":"2026-01-02T03:04:05.000Z"}`)), ""},
		"escapes":         {altered(`"hej"`, `"\u0068ej"`), ""},
		"more fields":     {func(list []Entry) []Entry { list[5].Fields = append(list[5].Fields, "time", "x"); return list }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, sum := listed(t, v.plant(sound()), Config{}, nil)
			if got := strings.Join(found, "|"); got != v.want {
				t.Errorf("found %q, want %q", got, v.want)
			}
			if int(sum.Errors+sum.Warnings) != len(found) {
				t.Errorf("counted %d errors and %d warnings, listed %q", sum.Errors, sum.Warnings, found)
			}
		})
	}
}

func swapped(fields []string, i, j int) []string {
	f := slices.Clone(fields)
	f[i], f[j] = f[j], f[i]
	f[i+1], f[j+1] = f[j+1], f[i+1]
	return f
}

// A null, a key in snake_case and an odd link are the author's own if the
// record hashes to its cid.
func TestWhatTheBlockHasIsNotQuestioned(t *testing.T) {
	for _, text := range []string{
		`{"$type":"app.bsky.feed.post","reply":null,"created_at":1}`,
		`{"$type":"a.b.c","py_type":"x","embed":{}}`,
		`{"$type":"a.b.c","x":{"$bytes":"AQI"},"y":{"$link":"nonsense"},"z":{"$link":"a","b":1}}`,
		`{"$type":"a.b.c","n":[0,-1,23,24,9223372036854775807,-9223372036854775808],"":[[],{},"\u0000é\u2028"]}`,
	} {
		var tp block.Tape
		b := block.Encoder{Tape: &tp}
		if tp.Parse(text) != jsonscan.Whole {
			t.Fatal(text)
		}
		own := string(b.CID(0, block.Form{Sort: true}))
		list := sound()
		list[5].Fields[3] = strings.Replace(create(text), cid, own, 1)
		if found, _ := listed(t, list, Config{}, nil); len(found) > 0 {
			t.Errorf("%s: %q", text, found)
		}
	}
	list := sound()
	padded := `{"$type":"a.b.c","x":{"$bytes":"AQI="}}`
	list[5].Fields[3] = strings.Replace(create(padded), cid, syntax.CIDText(syntax.SumCID(syntax.CodecDAGCBOR, []byte("\xa2\x61x\x42\x01\x02\x65$type\x65a.b.c"))), 1)
	if found, _ := listed(t, list, Config{}, nil); strings.Join(found, "|") != "record-link 106 ops[0].record.x.$bytes" {
		t.Errorf("padding: %q", found)
	}
}

func TestCursor(t *testing.T) {
	for name, v := range map[string]struct {
		cursor Cursor
		want   string
	}{
		"equal":                              {Cursor{Present: true, Before: "120", After: "120"}, ""},
		"missing":                            {Cursor{}, "cursor-missing 120 cursor k"},
		"garbage":                            {Cursor{Present: true, Before: "x", After: "x"}, "cursor-invalid 0 cursor k"},
		"ahead":                              {Cursor{Present: true, Before: "121", After: "121"}, "cursor-ahead 121 cursor k"},
		"behind":                             {Cursor{Present: true, Before: "119", After: "119"}, "cursor-behind 119 cursor k"},
		"ahead by filter":                    {Cursor{Present: true, Before: "500", After: "500", Filtered: true}, "cursor-unproven 500 cursor k"},
		"ahead by filter, as left":           {Cursor{Present: true, Before: "500", After: "500", Filtered: true, Upto: 500, Stored: 120}, ""},
		"filtered, moved since":              {Cursor{Present: true, Before: "1500", After: "1500", Filtered: true, Upto: 500, Stored: 120}, "cursor-ahead 1500 cursor k"},
		"filtered, entries removed":          {Cursor{Present: true, Before: "500", After: "500", Filtered: true, Upto: 500, Stored: 170}, "cursor-ahead 500 cursor k"},
		"filtered, both":                     {Cursor{Present: true, Before: "1500", After: "1500", Filtered: true, Upto: 500, Stored: 170}, "cursor-ahead 1500 cursor k"},
		"filtered, appended to":              {Cursor{Present: true, Before: "500", After: "500", Filtered: true, Upto: 500, Stored: 119}, "cursor-ahead 500 cursor k"},
		"filtered, at work":                  {Cursor{Present: true, Before: "500", After: "600", Filtered: true, Upto: 600, Stored: 130, StoredBefore: 110}, ""},
		"filtered, at work, entries removed": {Cursor{Present: true, Before: "500", After: "600", Filtered: true, Upto: 600, Stored: 130, StoredBefore: 125}, "cursor-ahead 500 cursor k"},
		"nothing stored since":               {Cursor{Present: true, Before: "500", After: "500", Filtered: true, Upto: 500}, ""},
		"filtered, behind":                   {Cursor{Present: true, Before: "90", After: "90", Filtered: true, Upto: 90, Stored: 90}, "cursor-behind 90 cursor k"},
		"below where it was left":            {Cursor{Present: true, Before: "123", After: "123", Upto: 125, Stored: 120}, ""},
		"ahead, as left":                     {Cursor{Present: true, Before: "125", After: "125", Upto: 125, Stored: 120}, ""},
		"moved since":                        {Cursor{Present: true, Before: "126", After: "126", Upto: 125, Stored: 120}, "cursor-ahead 126 cursor k"},
		"last entry is gone":                 {Cursor{Present: true, Before: "125", After: "125", Upto: 125, Stored: 124}, "cursor-ahead 125 cursor k"},
		"entries are gone, lowered to match": {Cursor{Present: true, Before: "120", After: "120", Upto: 125, Stored: 124}, "entries-gone 124 cursor k"},
		"moving":                             {Cursor{Present: true, Before: "110", After: "130"}, ""},
		"moving, still ahead":                {Cursor{Present: true, Before: "121", After: "130"}, "cursor-ahead 121 cursor k"},
	} {
		t.Run(name, func(t *testing.T) {
			v.cursor.Key, v.cursor.Last = "k", Mark{120, "1700000000019-0"}
			found, _ := listed(t, sound(), Config{}, func(s *Stream) { s.Cursor(v.cursor) })
			if got := strings.Join(found, "|"); got != v.want {
				t.Errorf("found %q, want %q", got, v.want)
			}
		})
	}
}

// What the writer noted of a stream that holds nothing any more is not forgotten,
// nor is the remedy of a cursor that is not ingest's.
func TestCursorOfAnEmptiedPartition(t *testing.T) {
	var fixes []string
	s := NewStream(Config{Report: func(f Finding) { fixes = append(fixes, string(f.Rule)+" "+f.Fix) }})
	s.PartitionCursor(Cursor{Present: true, Before: "9", After: "9", Upto: 9, Stored: 8, Fix: "replay it again"})
	s.PartitionCursor(Cursor{Present: true, Before: "9", After: "9", Upto: 9})
	s.PartitionCursor(Cursor{Present: true, Before: "9", After: "9"})
	if sum := s.Close(); strings.Join(fixes, "|") != "cursor-ahead replay it again" || sum.Rules[0].Fix != "replay it again" {
		t.Errorf("found %q, %+v", fixes, sum.Rules)
	}
}

func TestStrictMakesWarningsErrorsAndListsEachGap(t *testing.T) {
	list := sound()
	list = append(list[:3], append(list[4:9:9], list[11:]...)...)
	found, sum := listed(t, list, Config{}, nil)
	if len(found) != 1 || !sum.Clean() || sum.Warnings != 2 {
		t.Errorf("lenient: %q, %+v", found, sum)
	}
	found, sum = listed(t, list, Config{Strict: true}, nil)
	if strings.Join(found, "|") != "seq-gap 105 |seq-gap 112 " || sum.Errors != 2 {
		t.Errorf("strict: %q, %+v", found, sum)
	}
	if g := sum.Gaps; g.Count != 2 || g.Missing != 3 || g.Largest[0].After.Seq != 109 || g.Largest[0].Missing != 2 {
		t.Errorf("gaps: %+v", g)
	}
}

func TestRevField(t *testing.T) {
	list := sound()
	for n, rev := range map[int]string{5: "3kaaaaaaaaa2b", 10: "3kaaaaaaaaa2c", 15: "3kaaaaaaaaa2c"} {
		list[n].Fields = append(list[n].Fields, "rev", rev)
	}
	if found, _ := listed(t, list, Config{}, nil); strings.Join(found, "|") != "rev-order 116 " {
		t.Errorf("found %q", found)
	}
}

func TestSampling(t *testing.T) {
	for _, seed := range []uint64{0, 5} {
		list := sound()
		for i := range list {
			list[i].Fields[3] = "x"
		}
		found, sum := listed(t, list, Config{Sample: 4, Seed: seed}, nil)
		if sum.Items != 20 || int(sum.Checked) != len(found) || len(found) == 0 || len(found) > 12 || seed == 0 && len(found) != 5 {
			t.Errorf("seed %d: %d found, %+v", seed, len(found), sum)
		}
	}
}

func TestMaxFindingsBoundsTheListNotTheCount(t *testing.T) {
	list := sound()
	for i := range list {
		list[i].Fields[3] = "x"
	}
	found, sum := listed(t, list, Config{MaxFindings: 3}, nil)
	if len(found) != 3 || sum.Errors != 20 || sum.Rules[0] != (RuleCount{DataJSON, Error, 20, writerFix}) {
		t.Errorf("%d listed, %+v", len(found), sum)
	}
}

// Far duplicates are told from late entries, whatever the length: the window
// and the index together know every fresh seq.
func TestFarDuplicates(t *testing.T) {
	const n = 300_000
	marks := make([]Mark, 0, n+40_000)
	for i := range n {
		marks = append(marks, Mark{event.Seq(2*i + 2), fmt.Sprint(i)})
	}
	var want []string
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 { // anywhere below the window, early ones and twins of nothing
		seq := event.Seq(2 + random.IntN(n))
		rule := SeqOrder
		if seq%2 == 0 {
			rule = SeqDuplicate
		}
		marks = append(marks, Mark{seq, "x"})
		want = append(want, fmt.Sprint(rule, seq))
	}
	for i := range 20_000 { // a rewind
		marks = append(marks, Mark{event.Seq(2*i + 40_002), "y"})
		want = append(want, fmt.Sprint(SeqDuplicate, 2*i+40_002))
	}
	var found []string
	rereads := 0
	out := newLedger(Config{
		Report: func(f Finding) { found = append(found, fmt.Sprint(f.Rule, f.Seq)) },
		Reread: func(_ context.Context, from, to string) iter.Seq2[Mark, error] {
			rereads++
			return func(yield func(Mark, error) bool) {
				for _, m := range marks[number10(from) : number10(to)+1] {
					if !yield(m, nil) {
						return
					}
				}
			}
		},
	})
	s := newSequence(out)
	for _, m := range marks {
		if err := s.observe(t.Context(), m.Seq, m.ID); err != nil {
			t.Fatal(err)
		}
	}
	// Strays may repeat by chance: then the second is a duplicate.
	seen := map[string]bool{}
	for i, w := range want {
		if strings.HasPrefix(w, string(SeqOrder)) && seen[w] {
			want[i] = strings.Replace(w, string(SeqOrder), string(SeqDuplicate), 1)
		}
		seen[w] = true
	}
	if !slices.Equal(found, want) {
		t.Errorf("found %d, want %d", len(found), len(want))
	}
	if rereads > 50+20_000*2/indexStride+2 {
		t.Errorf("read again %d times", rereads)
	}
}

func number10(text string) (n int) {
	fmt.Sscan(text, &n)
	return n
}

// Whatever the order, every entry beyond the first of its seq is a duplicate,
// and a rising stream has no finding.
func TestOrderAgainstAModel(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 9))
		var list []Mark
		for i := range 60 {
			list = append(list, Mark{event.Seq(i + 1), fmt.Sprint(i)})
		}
		for range random.IntN(6) {
			i, j := random.IntN(60), random.IntN(60)
			switch random.IntN(3) {
			case 0:
				list[i], list[j] = list[j], list[i]
			case 1:
				list = append(list, list[i])
			default:
				list = slices.Insert(list, i, list[j])
			}
		}
		duplicates, order := map[event.Seq]int{}, 0
		out := newLedger(Config{Report: func(f Finding) {
			if f.Rule == SeqDuplicate {
				duplicates[f.Seq]++
			} else {
				order++
			}
		}})
		s := newSequence(out)
		count := map[event.Seq]int{}
		for _, m := range list {
			_ = s.observe(t.Context(), m.Seq, m.ID)
			count[m.Seq]++
		}
		s.close()
		for seq, n := range count {
			if duplicates[seq] != n-1 {
				t.Fatalf("seed %d: seq %d occurs %d times, %d duplicates found", seed, seq, n, duplicates[seq])
			}
		}
		rising := slices.IsSortedFunc(list, func(a, b Mark) int { return int(a.Seq - b.Seq) })
		if rising && order > 0 || out.sum.Gaps.Count > 0 {
			t.Fatalf("seed %d: %d out of order, gaps %+v", seed, order, out.sum.Gaps)
		}
	}
}
