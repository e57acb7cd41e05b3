package frame_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

func unhex(tb testing.TB, text string) []byte {
	tb.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestFraming(t *testing.T) {
	good := commit(t, nil)
	head := pairs(t, "t", "#commit", "op", 1)
	payload := commitFields(t, nil)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, c := range map[string]struct {
		data   []byte
		reason event.Reason
		seq    event.Seq
	}{
		"F1/empty message":          {nil, event.ReasonEmpty, 0},
		"F1/sound":                  {good, event.ReasonNone, 0},
		"F1/single value":           {head, event.ReasonFraming, 0},
		"F1/trailing bytes":         {join(good, []byte{0}), event.ReasonFraming, 7},
		"F1/three maps":             {join(good, pairs(t)), event.ReasonFraming, 7},
		"F1/header is an array":     {join(list(), payload), event.ReasonFraming, 0},
		"F1/header is a number":     {join([]byte{1}, payload), event.ReasonFraming, 0},
		"F1/payload is an array":    {join(head, list()), event.ReasonFraming, 0},
		"F1/payload is text":        {join(head, marshal(t, "x")), event.ReasonFraming, 0},
		"F1/payload is null":        {join(head, []byte{0xf6}), event.ReasonFraming, 0},
		"F1/break":                  {[]byte{0xff}, event.ReasonCBOR, 0},
		"F1/garbage, first a value": {[]byte("HTTP/1.1 502 Bad Gateway"), event.ReasonFraming, 0},
		"F1/JSON":                   {[]byte(`{"t":"#commit"}`), event.ReasonCBOR, 0},
		"F6/half a frame":           {good[:len(good)/2], event.ReasonCBOR, 7},
		"F6/one byte short":         {good[:len(good)-1], event.ReasonCBOR, 7},
		"F6/half a header":          {head[:5], event.ReasonCBOR, 0},
		"F6/reserved head":          {join(head, pairs(t, "seq", 7, "x", raw{0x1c})), event.ReasonCBOR, 7},
		"F6/deep nesting":           {join(head, pairs(t, "seq", 7, "x", raw(bytes.Repeat([]byte{0x81}, 100_000)))), event.ReasonCBOR, 7},
		"F6/deep indefinite":        {bytes.Repeat([]byte{0x9f}, 100_000), event.ReasonCBOR, 0},
		"F6/declared map":           {join(head, []byte{0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), event.ReasonCBOR, 0},
		"F6/declared text":          {join(head, []byte{0xa1, 0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), event.ReasonCBOR, 0},
		"F6/valid CBOR, odd key":    {join(head, pairs(t, "seq", 7, 1, 2)), event.ReasonLexicon, 7},
		"F2/op missing":             {join(pairs(t, "t", "#commit"), payload), event.ReasonHeader, 7},
		"F2/op is text":             {join(pairs(t, "t", "#commit", "op", "1"), payload), event.ReasonHeader, 7},
		"F2/op is a float":          {join(pairs(t, "t", "#commit", "op", raw(unhex(t, "f93c00"))), payload), event.ReasonHeader, 7},
		"F2/op is null":             {join(pairs(t, "t", "#commit", "op", nil), payload), event.ReasonHeader, 7},
		"F2/op is huge":             {join(pairs(t, "t", "#commit", "op", raw(unhex(t, "1bffffffffffffffff"))), payload), event.ReasonHeader, 7},
		"F2/op twice":               {join(pairs(t, "t", "#commit", "op", 1, "op", 1), payload), event.ReasonHeader, 7},
		"F2/t missing":              {join(pairs(t, "op", 1), payload), event.ReasonHeader, 7},
		"F2/t is a number":          {join(pairs(t, "t", 1, "op", 1), payload), event.ReasonHeader, 7},
		"F2/t twice":                {join(pairs(t, "t", "#commit", "t", "#sync", "op", 1), payload), event.ReasonHeader, 7},
		"F2/empty header":           {join(pairs(t), payload), event.ReasonHeader, 7},
		"F2/header key is a number": {join(pairs(t, 1, 2, "op", 1, "t", "#commit"), payload), event.ReasonHeader, 7},
	} {
		t.Run(name, func(t *testing.T) {
			_, reject := decode(t, c.data)
			switch {
			case reject == nil && c.reason != event.ReasonNone:
				t.Errorf("accepted, want %s", c.reason)
			case reject != nil && (reject.Reason != c.reason || reject.Seq != c.seq):
				t.Errorf("%s seq %d, want %s seq %d (%v)", reject.Reason, reject.Seq, c.reason, c.seq, reject)
			}
		})
	}
}

func TestF2HeaderOrderIsFree(t *testing.T) {
	payload := commitFields(t, nil)
	for name, c := range map[string]struct {
		head raw
		odd  bool
	}{
		"t first":        {pairs(t, "t", "#commit", "op", 1), false},
		"op first":       {pairs(t, "op", 1, "t", "#commit"), true},
		"unknown fields": {pairs(t, "t", "#commit", "op", 1, "new", []any{1, map[string]any{"a": "b"}}), false},
		"long op":        {pairs(t, "t", "#commit", "op", raw{0x18, 1}), true},
		"indefinite":     {append(append(raw{0xbf}, pairs(t, "t", "#commit", "op", 1)[1:]...), 0xff), true},
	} {
		ev := sound(t, append(bytes.Clone(c.head), payload...))
		if ev.Kind != event.KindCommit || ev.Seq != 7 || len(ev.Commit.Ops) != 1 || ev.Commit.Ops[0].Skip != 0 {
			t.Errorf("%s: %+v", name, ev)
		}
		if ev.Flags.Has(event.FlagEnvelope) != c.odd {
			t.Errorf("%s: flags %b", name, ev.Flags)
		}
	}
}

func TestF3UnknownsPass(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		typ  string
		seq  event.Seq
	}{
		"type":                {message(t, "#tombstone", pairs(t, "did", did, "seq", 9)), "tombstone", 9},
		"type without #":      {message(t, "commit", commitFields(t, nil)), "commit", 7},
		"type, no seq":        {message(t, "#new", pairs(t)), "new", 0},
		"type, bad seq":       {message(t, "#new", pairs(t, "seq", -1)), "new", 0},
		"type, seq too large": {message(t, "#new", pairs(t, "seq", int64(1)<<53)), "new", 0},
		"type, seq is text":   {message(t, "#new", pairs(t, "seq", "9")), "new", 0},
		"type, seq twice":     {message(t, "#new", pairs(t, "seq", 9, "seq", 10)), "new", 0},
		"op 2":                {append(pairs(t, "t", "#commit", "op", 2), pairs(t, "seq", 9)...), "commit", 9},
		"op -2, no t":         {append(pairs(t, "op", -2), pairs(t, "seq", 9)...), "", 9},
	} {
		ev := sound(t, c.data)
		if ev.Kind != event.KindUnknown || string(ev.Type) != c.typ || ev.Seq != c.seq {
			t.Errorf("%s: %s %q %d", name, ev.Kind, ev.Type, ev.Seq)
		}
	}
	ev := sound(t, commit(t, map[string]any{"future": map[string]any{"a": []any{1, "b", nil}}, "more": raw(unhex(t, "fb3ff0000000000000"))}))
	if ev.Kind != event.KindCommit || len(ev.Commit.Ops) != 1 {
		t.Errorf("unknown fields: %+v", ev)
	}
}

func TestF4ErrorFrame(t *testing.T) {
	ev := sound(t, unhex(t, "a1626f7020 a1656572726f726c467574757265437572736f72"))
	if ev.Kind != event.KindError || string(ev.Notice.Name) != "FutureCursor" || ev.Notice.Message != nil || ev.Seq != 0 {
		t.Errorf("%s %+v", ev.Kind, ev.Notice)
	}
	ev = sound(t, append(pairs(t, "op", -1), pairs(t, "error", "ConsumerTooSlow", "message", "too slow")...))
	if string(ev.Notice.Name) != "ConsumerTooSlow" || string(ev.Notice.Message) != "too slow" {
		t.Errorf("%+v", ev.Notice)
	}
	if _, reject := decode(t, append(pairs(t, "op", -1), pairs(t)...)); reject == nil || reject.Reason != event.ReasonLexicon {
		t.Errorf("without error: %v", reject)
	}
}

func TestF5InfoHasNoSeq(t *testing.T) {
	ev := sound(t, message(t, "#info", pairs(t, "name", "OutdatedCursor", "message", "gone", "seq", 12)))
	if ev.Kind != event.KindInfo || ev.Seq != 0 || string(ev.Notice.Name) != "OutdatedCursor" {
		t.Errorf("%+v", ev)
	}
}

func TestLexicon(t *testing.T) {
	r := record(t, "hej")
	ops := func(n int) raw {
		op := pairs(t, "cid", nil, "path", "app.bsky.feed.post/x", "action", "delete")
		items := make([]raw, n)
		for i := range items {
			items[i] = op
		}
		return list(items...)
	}
	for name, c := range map[string]struct {
		data   []byte
		reason event.Reason
		seq    event.Seq
	}{
		"E2/zero ops":                    {commit(t, map[string]any{"ops": list()}), 0, 0},
		"E2/rebase and tooBig":           {commit(t, map[string]any{"rebase": true, "tooBig": true, "blocks": []byte{}, "ops": list()}), 0, 0},
		"E2/deprecated absent":           {commit(t, map[string]any{"rebase": nil, "tooBig": nil, "blobs": nil}), 0, 0},
		"E1/200 ops":                     {commit(t, map[string]any{"ops": ops(200)}), 0, 0},
		"E1/201 ops":                     {commit(t, map[string]any{"ops": ops(201)}), event.ReasonLimit, 7},
		"E1/blocks at the limit":         {commit(t, map[string]any{"blocks": padded(t, frame.MaxBlocks)}), 0, 0},
		"E1/blocks over the limit":       {commit(t, map[string]any{"blocks": padded(t, frame.MaxBlocks+1)}), event.ReasonLimit, 7},
		"E1/sync blocks at the limit":    {message(t, "#sync", pairs(t, "did", did, "rev", "x", "seq", 7, "blocks", make([]byte, 10_000))), 0, 0},
		"E1/sync blocks over the limit":  {message(t, "#sync", pairs(t, "did", did, "rev", "x", "seq", 7, "blocks", make([]byte, 10_001))), event.ReasonLimit, 7},
		"commit without seq":             {commit(t, map[string]any{"seq": nil}), event.ReasonSeq, 0},
		"seq 0":                          {commit(t, map[string]any{"seq": 0}), event.ReasonSeq, 0},
		"negative seq":                   {commit(t, map[string]any{"seq": -7}), event.ReasonSeq, 0},
		"Q1/seq 2^53-1":                  {commit(t, map[string]any{"seq": int64(1)<<53 - 1}), 0, 0},
		"Q1/seq 2^53":                    {commit(t, map[string]any{"seq": int64(1) << 53}), event.ReasonSeq, 0},
		"seq as text":                    {commit(t, map[string]any{"seq": "7"}), event.ReasonSeq, 0},
		"seq twice":                      {message(t, "#commit", pairs(t, "seq", 7, "seq", 8, "repo", did)), event.ReasonLexicon, 0},
		"ops twice":                      {message(t, "#commit", pairs(t, "ops", list(), "ops", list(), "seq", 7, "repo", did, "blocks", []byte{})), event.ReasonLexicon, 7},
		"no repo":                        {commit(t, map[string]any{"repo": nil}), event.ReasonDID, 7},
		"repo is a number":               {commit(t, map[string]any{"repo": 1}), event.ReasonDID, 7},
		"repo is a handle":               {commit(t, map[string]any{"repo": "cat.example"}), event.ReasonDID, 7},
		"repo of 256 bytes":              {commit(t, map[string]any{"repo": "did:plc:" + strings.Repeat("a", 248)}), event.ReasonDID, 7},
		"no ops":                         {commit(t, map[string]any{"ops": nil}), event.ReasonLexicon, 7},
		"ops is null":                    {commit(t, map[string]any{"ops": raw{0xf6}}), event.ReasonLexicon, 7},
		"ops is a map":                   {commit(t, map[string]any{"ops": map[string]any{}}), event.ReasonLexicon, 7},
		"no blocks":                      {commit(t, map[string]any{"blocks": nil}), event.ReasonLexicon, 7},
		"blocks is null":                 {commit(t, map[string]any{"blocks": raw{0xf6}}), event.ReasonLexicon, 7},
		"blocks is text":                 {commit(t, map[string]any{"blocks": "x"}), event.ReasonLexicon, 7},
		"B4/blocks is no CAR":            {commit(t, map[string]any{"blocks": []byte("no")}), event.ReasonCAR, 7},
		"B4/CAR cut":                     {commit(t, map[string]any{"blocks": car(r)[:100]}), event.ReasonCAR, 7},
		"identity":                       {message(t, "#identity", pairs(t, "did", did, "seq", 7, "handle", "cat.example")), 0, 0},
		"identity without did":           {message(t, "#identity", pairs(t, "seq", 7)), event.ReasonDID, 7},
		"identity with repo":             {message(t, "#identity", pairs(t, "repo", did, "seq", 7)), event.ReasonDID, 7},
		"identity handle is a number":    {message(t, "#identity", pairs(t, "did", did, "seq", 7, "handle", 1)), event.ReasonLexicon, 7},
		"identity handle is not UTF-8":   {message(t, "#identity", pairs(t, "did", did, "seq", 7, "handle", raw{0x61, 0xff})), event.ReasonLexicon, 7},
		"identity handle twice":          {message(t, "#identity", pairs(t, "did", did, "seq", 7, "handle", "a.b", "handle", "c.d")), event.ReasonLexicon, 7},
		"account without active":         {message(t, "#account", pairs(t, "did", did, "seq", 7)), event.ReasonLexicon, 7},
		"account active is null":         {message(t, "#account", pairs(t, "did", did, "seq", 7, "active", nil)), event.ReasonLexicon, 7},
		"account active is a number":     {message(t, "#account", pairs(t, "did", did, "seq", 7, "active", 1)), event.ReasonLexicon, 7},
		"account status is a number":     {message(t, "#account", pairs(t, "did", did, "seq", 7, "active", true, "status", 1)), event.ReasonLexicon, 7},
		"sync without blocks":            {message(t, "#sync", pairs(t, "did", did, "rev", "x", "seq", 7)), event.ReasonLexicon, 7},
		"info without name":              {message(t, "#info", pairs(t)), event.ReasonLexicon, 0},
		"F3/invalid text elsewhere":      {commit(t, map[string]any{"future": raw{0x61, 0xff}}), 0, 0},
		"account with unreadable status": {message(t, "#account", pairs(t, "did", did, "seq", 7, "active", true, "status", raw{0x61, 0xff})), event.ReasonLexicon, 7},
	} {
		t.Run(name, func(t *testing.T) {
			_, reject := decode(t, c.data)
			if reject == nil {
				reject = &event.Reject{}
			}
			if reject.Reason != c.reason || reject.Seq != c.seq {
				t.Errorf("%s seq %d (%s), want %s seq %d", reject.Reason, reject.Seq, reject.Detail, c.reason, c.seq)
			}
		})
	}
}

// padded is a CAR of exactly size bytes with the record of commitFields.
func padded(t *testing.T, size int) []byte {
	t.Helper()
	c := car(record(t, "hej"))
	pad := size - len(c) - syntax.CIDLen - 3
	c = car(record(t, "hej"), block(syntax.CodecRaw, make([]byte, pad)))
	if len(c) != size {
		t.Fatalf("%d bytes, want %d", len(c), size)
	}
	return c
}

func TestSeenInTheWild(t *testing.T) {
	legacyOp := list(pairs(t, "cid", dagcbor.Link(record(t, "hej").CID), "path", "app.bsky.feed.post/3kaaaaaaaaa2a", "action", "create"))
	for name, c := range map[string]struct {
		replace map[string]any
		check   func(*event.Event) bool
	}{
		"empty since":             {map[string]any{"since": ""}, func(ev *event.Event) bool { return ev.Commit.Since != nil && len(ev.Commit.Since) == 0 }},
		"null since":              {map[string]any{"since": raw{0xf6}}, func(ev *event.Event) bool { return ev.Commit.Since == nil }},
		"E6/time without zone":    {map[string]any{"time": "2026-01-02T03:04:05.1234567"}, func(ev *event.Event) bool { return string(ev.Time) == "2026-01-02T03:04:05.1234567" }},
		"E6/no time":              {map[string]any{"time": nil}, func(ev *event.Event) bool { return ev.Time == nil }},
		"E6/time is a number":     {map[string]any{"time": 12}, func(ev *event.Event) bool { return ev.Time == nil }},
		"no prevData":             {map[string]any{"prevData": nil}, func(ev *event.Event) bool { return ev.Commit.PrevData == nil }},
		"null prevData":           {map[string]any{"prevData": raw{0xf6}}, func(ev *event.Event) bool { return ev.Commit.PrevData == nil }},
		"2023: no rev, but prev":  {map[string]any{"rev": nil, "since": nil, "prevData": nil, "ops": legacyOp, "prev": dagcbor.Link(commitBlock.CID)}, func(ev *event.Event) bool { return ev.Commit.Rev == nil }},
		"blobs as text":           {map[string]any{"blobs": []any{"bafkreib", "bafkreic"}}, func(*event.Event) bool { return true }},
		"rev of 1970":             {map[string]any{"rev": "2222222222222"}, func(ev *event.Event) bool { return string(ev.Commit.Rev) == "2222222222222" }},
		"B1/commit is not a root": {map[string]any{"commit": dagcbor.Link(record(t, "x").CID)}, func(ev *event.Event) bool { return ev.Flags.Has(event.FlagRoot) }},
		"unsorted envelope":       {map[string]any{"a": 1}, func(ev *event.Event) bool { return ev.Flags.Has(event.FlagEnvelope) }},
		"seq in a long form":      {map[string]any{"seq": raw(unhex(t, "1b0000000000000007"))}, func(ev *event.Event) bool { return ev.Flags.Has(event.FlagEnvelope) && ev.Seq == 7 }},
		"indefinite text and list": {map[string]any{"rev": raw(unhex(t, "7f 6133 6a"+hex.EncodeToString([]byte("kaaaaaaaaa"))+" 623261 ff")), "blobs": raw{0x9f, 0xff}}, func(ev *event.Event) bool {
			return ev.Flags.Has(event.FlagEnvelope) && string(ev.Commit.Rev) == "3kaaaaaaaaa2a"
		}},
		"indefinite blocks": {map[string]any{"blocks": append(append(append(raw{0x5f}, marshal(t, car(record(t, "hej"))[:50])...), marshal(t, car(record(t, "hej"))[50:])...), 0xff)}, func(ev *event.Event) bool { return ev.Flags.Has(event.FlagEnvelope) }},
	} {
		t.Run(name, func(t *testing.T) {
			ev := sound(t, commit(t, c.replace))
			if !c.check(ev) || len(ev.Commit.Ops) != 1 || ev.Commit.Ops[0].Skip != 0 || ev.Commit.Ops[0].Record == nil {
				t.Errorf("%+v", ev)
			}
		})
	}
	plain := sound(t, commit(t, nil))
	if plain.Flags != 0 {
		t.Errorf("a canonical frame has flags %b", plain.Flags)
	}
}

// One bad op costs only itself: its siblings are delivered.
func TestB5OneOpAmongOthers(t *testing.T) {
	good := record(t, "good")
	encode := func(v any) blocks.Block { return block(syntax.CodecDAGCBOR, marshal(t, v)) }
	hexed := func(text string) blocks.Block { return block(syntax.CodecDAGCBOR, unhex(t, text)) }
	damaged := blocks.Block{CID: record(t, "one").CID, Data: record(t, "two").Data}
	oddMap := hexed("a2 626161 01 652474797065 6161") // sound: "aa" before "$type"
	unsorted := hexed("a2 652474797065 6161 626161 01")
	op := func(cid any, path, action any) raw { return pairs(t, "cid", cid, "path", path, "action", action) }
	at := func(b blocks.Block) dagcbor.Link { return b.CID }
	const p = "a.b.c/d"
	for name, c := range map[string]struct {
		op     raw
		blocks []blocks.Block
		reason event.Reason
		flag   bool
	}{
		"sound":                {op(at(good), p, "update"), nil, 0, false},
		"delete":               {op(nil, p, "delete"), nil, 0, false},
		"delete with cid":      {op(at(good), p, "delete"), nil, 0, false},
		"delete without cid":   {pairs(t, "path", p, "action", "delete"), nil, 0, false},
		"not a map":            {raw{1}, nil, event.ReasonOpShape, false},
		"key is not text":      {pairs(t, 1, 2), nil, event.ReasonOpShape, false},
		"empty":                {pairs(t), nil, event.ReasonOpShape, false},
		"unknown action":       {op(at(good), p, "rename"), nil, event.ReasonOpShape, false},
		"action is a number":   {op(at(good), p, 1), nil, event.ReasonOpShape, false},
		"action twice":         {pairs(t, "cid", at(good), "path", p, "action", "create", "action", "delete"), nil, event.ReasonOpShape, false},
		"no path":              {pairs(t, "cid", at(good), "action", "create"), nil, event.ReasonOpShape, false},
		"path without slash":   {op(at(good), "a.b.c", "create"), nil, event.ReasonOpShape, false},
		"path with two":        {op(at(good), "a/b/c", "create"), nil, event.ReasonOpShape, false},
		"path without key":     {op(at(good), "a/", "create"), nil, event.ReasonOpShape, false},
		"path without type":    {op(at(good), "/a", "create"), nil, event.ReasonOpShape, false},
		"path is not UTF-8":    {op(at(good), raw{0x63, 'a', '/', 0xff}, "create"), nil, event.ReasonOpShape, false},
		"create without cid":   {op(nil, p, "create"), nil, event.ReasonOpShape, false},
		"cid is text":          {op("bafy", p, "create"), nil, event.ReasonOpShape, false},
		"D5/CIDv0":             {op(at(blocks.Block{CID: good.CID[2:]}), p, "create"), nil, event.ReasonOpCID, false},
		"D5/raw codec":         {op(dagcbor.Link(syntax.SumCID(syntax.CodecRaw, nil)), p, "create"), nil, event.ReasonOpCID, false},
		"B5/block missing":     {op(at(record(t, "absent")), p, "create"), nil, event.ReasonBlockMissing, false},
		"B3/hash differs":      {op(at(damaged), p, "create"), []blocks.Block{damaged}, event.ReasonBlockHash, false},
		"B3/good copy wins":    {op(at(damaged), p, "create"), []blocks.Block{damaged, record(t, "one")}, 0, false},
		"D2/float":             {op(at(hexed("a1 6161 fb3ff0000000000000")), p, "create"), []blocks.Block{hexed("a1 6161 fb3ff0000000000000")}, event.ReasonRecordNumber, false},
		"D1/duplicate key":     {op(at(hexed("a2 6161 01 6161 02")), p, "create"), []blocks.Block{hexed("a2 6161 01 6161 02")}, event.ReasonRecordCBOR, false},
		"D1/text is not UTF-8": {op(at(hexed("a1 6161 61ff")), p, "create"), []blocks.Block{hexed("a1 6161 61ff")}, event.ReasonRecordText, false},
		"D4/deep":              {op(at(block(syntax.CodecDAGCBOR, bytes.Repeat([]byte{0x81}, 4394))), p, "create"), []blocks.Block{block(syntax.CodecDAGCBOR, bytes.Repeat([]byte{0x81}, 4394))}, event.ReasonRecordLimit, false},
		"no $type":             {op(at(encode(map[string]any{"a": 1})), p, "create"), []blocks.Block{encode(map[string]any{"a": 1})}, event.ReasonRecordType, false},
		"$type is a number":    {op(at(encode(map[string]any{"$type": 1})), p, "create"), []blocks.Block{encode(map[string]any{"$type": 1})}, event.ReasonRecordType, false},
		// What follows is long enough to be taken for the text of a type.
		"$type is a number, and more": {op(at(hexed("a2 652474797065 05 66616161616161 656162636465")), p, "create"), []blocks.Block{hexed("a2 652474797065 05 66616161616161 656162636465")}, event.ReasonRecordType, false},
		"$type is bytes":              {op(at(hexed("a1 652474797065 45612e622e63")), p, "create"), []blocks.Block{hexed("a1 652474797065 45612e622e63")}, event.ReasonRecordType, false},
		"$type is a list":             {op(at(encode(map[string]any{"$type": []any{"a.b.c"}})), p, "create"), []blocks.Block{encode(map[string]any{"$type": []any{"a.b.c"}})}, event.ReasonRecordType, false},
		"$type is a map":              {op(at(encode(map[string]any{"$type": map[string]any{"$type": "a.b.c"}})), p, "create"), []blocks.Block{encode(map[string]any{"$type": map[string]any{"$type": "a.b.c"}})}, event.ReasonRecordType, false},
		"$type is a link":             {op(at(encode(map[string]any{"$type": dagcbor.Link(good.CID)})), p, "create"), []blocks.Block{encode(map[string]any{"$type": dagcbor.Link(good.CID)})}, event.ReasonRecordType, false},
		"$type is null":               {op(at(encode(map[string]any{"$type": nil, "text": "hej"})), p, "create"), []blocks.Block{encode(map[string]any{"$type": nil, "text": "hej"})}, event.ReasonRecordType, false},
		"$type only further in":       {op(at(encode(map[string]any{"a": map[string]any{"$type": "a.b.c"}})), p, "create"), []blocks.Block{encode(map[string]any{"a": map[string]any{"$type": "a.b.c"}})}, event.ReasonRecordType, false},
		"$type is empty":              {op(at(encode(map[string]any{"$type": ""})), p, "create"), []blocks.Block{encode(map[string]any{"$type": ""})}, event.ReasonRecordType, false},
		"record is a list":            {op(at(encode([]any{})), p, "create"), []blocks.Block{encode([]any{})}, event.ReasonRecordType, false},
		"D1/unsorted is delivered":    {op(at(unsorted), p, "create"), []blocks.Block{unsorted}, 0, true},
		"D1/sorted by length":         {op(at(oddMap), p, "create"), []blocks.Block{oddMap}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			sibling := op(at(good), "x.y.z/w", "create")
			ev := sound(t, commit(t, map[string]any{"ops": list(sibling, c.op, sibling), "blocks": car(append(c.blocks, good)...)}))
			ops := ev.Commit.Ops
			if len(ops) != 3 || ops[0].Skip != 0 || ops[2].Skip != 0 || ops[0].Record == nil || ops[2].Record == nil {
				t.Fatalf("siblings suffered: %+v", ops)
			}
			if ops[1].Skip != c.reason || ev.Flags.Has(event.FlagRecord) != c.flag {
				t.Errorf("skip %s, want %s; flags %b", ops[1].Skip, c.reason, ev.Flags)
			}
			delivered := ops[1].Skip == 0 && ops[1].Action != event.Delete
			if (ops[1].Record != nil) != delivered || ops[1].Action == event.Delete && ops[1].CID != nil {
				t.Errorf("op %+v", ops[1])
			}
			out, ok := entry.Append(nil, ev)
			parsed, err := entry.Parse("commit", out)
			if !ok || err != nil || len(parsed.Commit.Ops) < 2 {
				t.Errorf("entry: %v: %s", err, out)
			}
			sameRaw(t, commit(t, map[string]any{"ops": list(sibling, c.op, sibling), "blocks": car(append(c.blocks, good)...)}), ev, out)
		})
	}
}

// sameRaw decodes a frame without making its records, and makes the entry of the
// blocks: reasons, flags and bytes are those of the other way.
func sameRaw(t *testing.T, data []byte, want *event.Event, entryOf []byte) {
	t.Helper()
	d, ev, enc := frame.Decoder{Raw: true}, event.Event{}, entry.Encoder{}
	if err := d.Decode(data, &ev); err != nil {
		t.Fatal(err)
	}
	out, ok, err := enc.Data(&ev)
	if err != nil || !ok || string(out) != string(entryOf) || ev.Flags != want.Flags {
		t.Errorf("from blocks: %v, %v, flags %b: %s\nwant flags %b: %s", ok, err, ev.Flags, out, want.Flags, entryOf)
	}
	for i := range ev.Commit.Ops {
		if got := ev.Commit.Ops[i].Skip; got != want.Commit.Ops[i].Skip {
			t.Errorf("ops[%d] from blocks: skip %s, want %s", i, got, want.Commit.Ops[i].Skip)
		}
	}
}

func TestE1ManyOpsOneBlock(t *testing.T) {
	big := record(t, strings.Repeat("\x01", 200_000)) // six bytes each as JSON
	ops := make([]raw, 11)
	for i := range ops {
		ops[i] = pairs(t, "cid", dagcbor.Link(big.CID), "path", "a.b.c/d", "action", "create")
	}
	if _, reject := decode(t, commit(t, map[string]any{"ops": list(ops...), "blocks": car(big)})); reject == nil || reject.Reason != event.ReasonLimit || reject.Seq != 7 {
		t.Errorf("11 times 1.2 MB of JSON: %v", reject)
	}
	ev := sound(t, commit(t, map[string]any{"ops": list(ops[:10]...), "blocks": car(big)}))
	for _, op := range ev.Commit.Ops {
		if len(op.Record) < 1_200_000 {
			t.Errorf("record of %d bytes", len(op.Record))
		}
	}
}

func TestE1TwoHundredOpsAmongTinyBlocks(t *testing.T) {
	var ops []raw
	var list200 []blocks.Block
	for i := range 200 {
		b := block(syntax.CodecDAGCBOR, marshal(t, map[string]any{"$type": "a", "n": i}))
		list200 = append(list200, b)
		ops = append(ops, pairs(t, "cid", dagcbor.Link(b.CID), "path", "a.b.c/d", "action", "create"))
	}
	filler := block(syntax.CodecRaw, nil)
	for len(list200) < 40_000 {
		list200 = append(list200, filler)
	}
	for i, op := range sound(t, commit(t, map[string]any{"ops": list(ops...), "blocks": car(list200...)})).Commit.Ops {
		if op.Skip != 0 {
			t.Fatalf("op %d: %s", i, op.Skip)
		}
	}
}

func TestE4Identity(t *testing.T) {
	for want, fields := range map[string]raw{
		"cat.example":    pairs(t, "did", did, "seq", 7, "handle", "cat.example"),
		"handle.invalid": pairs(t, "did", did, "seq", 7, "handle", "handle.invalid"),
		"<nil>":          pairs(t, "did", did, "seq", 7),
	} {
		ev := sound(t, message(t, "#identity", fields))
		got := string(ev.Identity.Handle)
		if ev.Identity.Handle == nil {
			got = "<nil>"
		}
		if got != want || string(ev.DID) != did || ev.Seq != 7 {
			t.Errorf("%q, want %q: %+v", got, want, ev)
		}
	}
	for _, handle := range []any{nil, ""} {
		if ev := sound(t, message(t, "#identity", pairs(t, "did", did, "seq", 7, "handle", handle))); ev.Identity.Handle != nil {
			t.Errorf("handle %v became %q", handle, ev.Identity.Handle)
		}
	}
}

func TestE3AccountStatus(t *testing.T) {
	for _, active := range []bool{true, false} {
		for _, status := range []string{"takendown", "suspended", "deleted", "deactivated", "desynchronized", "throttled", "of-the-future", ""} {
			ev := sound(t, message(t, "#account", pairs(t, "did", did, "seq", 7, "active", active, "status", status)))
			if ev.Account.Active != active || string(ev.Account.Status) != status || ev.Account.Status == nil {
				t.Errorf("%v %q: %+v", active, status, ev.Account)
			}
		}
	}
	if ev := sound(t, message(t, "#account", pairs(t, "did", did, "seq", 7, "active", true))); ev.Account.Status != nil {
		t.Errorf("absent status became %q", ev.Account.Status)
	}
}

// E5: order is the caller's; a decoder carries nothing from one frame to the
// next.
func TestE5DecoderForgets(t *testing.T) {
	var d frame.Decoder
	var ev event.Event
	for _, data := range [][]byte{made(t), commit(t, map[string]any{"a": 1}), []byte{0xff}, message(t, "#info", pairs(t, "name", "x"))} {
		_ = d.Decode(data, &ev)
	}
	if err := d.Decode(message(t, "#account", pairs(t, "did", did, "seq", 7, "active", true)), &ev); err != nil {
		t.Fatal(err)
	}
	if ev.Flags != 0 && !ev.Flags.Has(event.FlagEnvelope) || ev.Commit.Rev != nil || len(ev.Commit.Ops) != 0 || ev.Notice.Name != nil {
		t.Errorf("%+v", ev)
	}
}

func TestB4MalformedCARsCostOneEvent(t *testing.T) {
	wellFormed := map[string]bool{"go-car_sample-v1.car": true, "go-car_simple-unixfs.car": true}
	names, _ := filepath.Glob(filepath.Join(thirdparty.Path(t, "car-malformed"), "*.car"))
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		ev, reject := decode(t, commit(t, map[string]any{"blocks": data}))
		base := filepath.Base(name)
		switch {
		case wellFormed[base] && (reject != nil || ev.Commit.Ops[0].Skip != event.ReasonBlockMissing):
			t.Errorf("%s: %v, %+v", base, reject, ev.Commit.Ops)
		case !wellFormed[base] && (reject == nil || reject.Reason != event.ReasonCAR || reject.Seq != 7):
			t.Errorf("%s: %v", base, reject)
		}
	}
}

func TestD4TortureCostsOneOp(t *testing.T) {
	data, err := os.ReadFile(thirdparty.Path(t, "cbor-depth", "semi_torture_nested_lists.dagcbor"))
	if err != nil {
		t.Fatal(err)
	}
	b := block(syntax.CodecDAGCBOR, data)
	op := pairs(t, "cid", dagcbor.Link(b.CID), "path", "app.bsky.feed.post/x", "action", "create")
	ev := sound(t, commit(t, map[string]any{"ops": list(op), "blocks": car(b)}))
	if ev.Commit.Ops[0].Skip != event.ReasonRecordLimit {
		t.Errorf("skip %s", ev.Commit.Ops[0].Skip)
	}
}

// Contract §3: a handle that is a DID would overwrite a good one, and so would
// anything else that is none. It is left out and counted; handle.invalid passes.
func TestHandlesWithoutTheFormOfOne(t *testing.T) {
	for handle, good := range map[string]bool{
		"cat.example": true, "handle.invalid": true, "CAT.Example": true, "xn--ls8h.example": true, "1.cat.example": true,
		did: false, "did:web:cat.example": false, "cat": false, "cat.1": false, ".cat.example": false, "cat.example.": false,
		"cat..example": false, "@cat.example": false, "at://cat.example": false, "cat example": false, " cat.example": false,
		"cat.example\n": false, "cät.example": false, "-cat.example": false, "cat_1.example": false, "https://cat.example": false,
		strings.Repeat("a", 64) + ".example": false, strings.Repeat("a.", 130) + "example": false, strings.Repeat("\x01", 100_000): false,
	} {
		frame := message(t, "#identity", pairs(t, "did", did, "seq", 7, "time", "t", "handle", handle))
		ev := sound(t, frame)
		want := "null"
		if good {
			want = `"` + handle + `"`
		}
		if ev.Flags.Has(event.FlagHandle) == good || good != (string(ev.Identity.Handle) == handle) {
			t.Errorf("%.80q: handle %.80q, flags %b", handle, ev.Identity.Handle, ev.Flags)
		}
		out, ok := entry.Append(nil, ev)
		if !ok || string(out) != `{"did":"`+did+`","handle":`+want+`}` {
			t.Errorf("%.80q is stored as %.200s", handle, out)
		}
		sameRaw(t, frame, ev, out)
	}
	for name, handle := range map[string]any{"none": nil, "empty": ""} {
		ev := sound(t, message(t, "#identity", pairs(t, "did", did, "seq", 7, "time", "t", "handle", handle)))
		if ev.Flags.Has(event.FlagHandle) || ev.Identity.Handle != nil {
			t.Errorf("%s: handle %q, flags %b", name, ev.Identity.Handle, ev.Flags)
		}
	}
}

// G5: the copy that a large frame of indefinite lengths needs goes with Forget.
func TestForgetLetsGoOfLargeCopies(t *testing.T) {
	long := raw{0x7f} // a DID of one chunk, which only the definite form has in one piece
	long = append(append(long, marshal(t, did)...), 0xff)
	data := message(t, "#account", pairs(t, "did", long, "seq", 7, "active", true, "other", strings.Repeat("x", 4_000_000)))
	var d frame.Decoder
	var ev event.Event
	kept := func() uint64 {
		var m runtime.MemStats
		for range 3 { // what made the frame is in a pool
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := kept()
	if err := d.Decode(data, &ev); err != nil || !ev.Flags.Has(event.FlagEnvelope) {
		t.Fatalf("flags %b, %v", ev.Flags, err)
	}
	if copied := kept(); copied < before+3_000_000 {
		t.Fatalf("no copy was made: %d bytes became %d", before, copied)
	}
	d.Forget(&ev)
	if after := kept(); after > before+1_000_000 {
		t.Errorf("%d bytes became %d", before, after)
	}
	runtime.KeepAlive(&d)
	runtime.KeepAlive(&ev)
	runtime.KeepAlive(data)
}
