package verify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/verify/block"
)

// ownCID is the CID of the block of a record.
func ownCID(t *testing.T, text string) string {
	t.Helper()
	var tp block.Tape
	b := block.Encoder{Tape: &tp}
	if tp.ParseRecord(text) != jsonscan.Whole {
		t.Fatal("the record is no JSON, or crowded")
	}
	own := string(b.CID(0, block.Form{Sort: true}))
	if own == "" {
		t.Fatal("the record has no block")
	}
	return own
}

// commitOfRecords is a commit of creates, each of a record with its CID.
func commitOfRecords(records, cids []string) string {
	var ops []string
	for i := range records {
		ops = append(ops, fmt.Sprintf(`{"action":"create","path":"a.b.c/%d","cid":%q,"record":%s}`, i, cids[i], records[i]))
	}
	return `{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[` + strings.Join(ops, ",") + `]}`
}

// G5, G7: records of many values are judged one by one, as exactly as small ones.
func TestLargeCommitsAreJudgedRecordByRecord(t *testing.T) {
	zeros := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("0,", n), ",") + "]" }
	sound := `{"$type":"a.b.c","x":` + zeros(600_000) + `}`
	unsorted := `{"x":` + zeros(600_000) + `,"$type":"a.b.c"}`
	snake := `{"$type":"app.bsky.feed.post","a":` + zeros(300_000) + `,"b":[{"created_at":0}]}`
	untyped := `{"x":` + zeros(600_000) + `}`
	records := []string{sound, sound, untyped, snake, unsorted, `{"$type":"a.b.c","x":` + zeros(dagcbor.MaxRecord) + `}`, `{"$type":"a.b.c"}`}
	own := ownCID(t, sound)
	cids := []string{own, syntax.CIDText(syntax.SumCID(syntax.CodecDAGCBOR, []byte("other"))), own, own, ownCID(t, unsorted), own, ownCID(t, `{"$type":"a.b.c"}`)}
	list := soundOf(commitOfRecords(records, cids))
	found, sum := listed(t, list, Config{}, nil)
	want := "record-cid 106 ops[1].record|record-type 106 ops[2].record|record-casing 106 ops[3].record.b[0].created_at|data-size 106 ops[5].record"
	if got := strings.Join(found, "|"); got != want {
		t.Errorf("found %q, want %q", got, want)
	}
	if sum.Records < int64(len(records)) {
		t.Errorf("%d records judged, want %d and those of the others", sum.Records, len(records))
	}
}

// soundOf is a sound stream in which this is the data of seq 106.
func soundOf(data string) []Entry {
	list := sound()
	list[5].Fields[3] = data
	return list
}

// G5: what no sound commit has is named, and not followed value by value.
func TestCrowdedDataIsNamed(t *testing.T) {
	many := func(each string, n int) string { return strings.TrimSuffix(strings.Repeat(each, n), ",") }
	for name, c := range map[string]struct{ data, want string }{
		"ops that are numbers": {`{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[` + many("0,", 2_000_000) + `]}`, "data-size 106 data"},
		"beside the ops":       {`{"repo":"did:plc:aaaabbbbccccddddeeeeffff","x":[` + many("[],", 2_000_000) + `],"ops":[]}`, "data-size 106 data"},
		"deeper beside":        {`{"repo":"did:plc:aaaabbbbccccddddeeeeffff","x":[[[` + many("0,", 2_000_000) + `]]],"ops":[]}`, ""},
		"reserved, repeated":   {`{"repo":"did:plc:aaaabbbbccccddddeeeeffff",` + many(`"time":0,`, 1000) + `,"ops":[]}`, "data-reserved 106 time"},
	} {
		found, _ := listed(t, soundOf(c.data), Config{}, nil)
		if got := strings.Join(found, "|"); got != c.want {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
	data := `{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[` + many("{},", 1000) + `]}`
	if found, _ := listed(t, soundOf(data), Config{}, nil); found[0] != "data-size 106 ops" || len(found) != 1+2*200 {
		t.Errorf("1000 empty ops are %d findings, the first %q; want the size and 2 of each of 200 ops", len(found), found[0])
	}
}

// G5: large pairs that differ are told as such; members are compared by name without
// a search for each.
func TestCompareLargeData(t *testing.T) {
	zeros := strings.TrimSuffix(strings.Repeat("0,", 2_000_000), ",")
	var up, down strings.Builder
	const members = 200_000
	for i := range members {
		fmt.Fprintf(&up, `"%d":0,`, i)
		fmt.Fprintf(&down, `"%d":0,`, members-1-i)
	}
	commit := func(record string) string {
		return `{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[{"action":"create","path":"a.b.c/1","record":` + record + `}]}`
	}
	for name, c := range map[string]struct{ here, there, want string }{
		"crowded":         {commit("[" + zeros + "]"), commit("[" + zeros + ",1]"), "against-data 106 data"},
		"another order":   {commit("{" + up.String() + `"a":1}`), commit("{" + down.String() + `"a":1}`), "against-bytes 106 data"},
		"another value":   {commit("{" + up.String() + `"a":1}`), commit("{" + down.String() + `"a":2}`), "against-data 106 ops[0].record.a"},
		"another name":    {commit("{" + up.String() + `"a":1}`), commit("{" + down.String() + `"b":1}`), "against-data 106 ops[0].record.a"},
		"the last counts": {commit(`{"a":1,"b":2,"a":3}`), commit(`{"b":2,"a":4,"a":3}`), "against-data 106 ops[0].record.a"},
	} {
		var found []string
		report := func(f Finding) { found = append(found, fmt.Sprintf("%s %d %s", f.Rule, f.Seq, f.Where)) }
		_, err := Compare(t.Context(), Config{Report: report}, Span{}, sequenceOf(soundOf(c.here), nil), sequenceOf(soundOf(c.there), nil))
		if got := strings.Join(found, "|"); got != c.want || err != nil {
			t.Errorf("%s: found %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// Whatever the hash, its CID is one, and nothing beside it is.
func TestCIDsOfRecords(t *testing.T) {
	t.Parallel()
	for n := range 1000 {
		own := syntax.CIDText(syntax.SumCID(syntax.CodecDAGCBOR, []byte{byte(n), byte(n >> 8)}))
		if !validCID(own) {
			t.Errorf("%s is not valid", own)
		}
		if raw := syntax.CIDText(syntax.SumCID(syntax.CodecRaw, []byte{byte(n)})); validCID(raw) || validCID(own[1:]) || validCID(own+"a") || validCID(strings.ToUpper(own)) {
			t.Errorf("%s, or what is near %s, is valid", raw, own)
		}
	}
}
