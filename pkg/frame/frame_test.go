package frame_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

func TestAppendIsCanonicalAndComesBack(t *testing.T) {
	at, who := []byte("2026-01-02T03:04:05.000Z"), []byte(did)
	r := record(t, "hej")
	for name, ev := range map[string]event.Event{
		"commit": {Kind: event.KindCommit, Seq: 7, DID: who, Time: at, Commit: event.Commit{CID: commitBlock.CID, PrevData: r.CID,
			Rev: []byte("3kaaaaaaaaa2a"), Since: []byte("3k"), Blocks: car(r), Ops: []event.Op{
				{Action: event.Update, Path: []byte("a.b.c/d"), CID: r.CID, Prev: commitBlock.CID},
				{Action: event.Delete, Path: []byte("a.b.c/e"), Prev: commitBlock.CID}}}},
		"first commit": {Kind: event.KindCommit, Seq: 7, DID: who, Time: at, Commit: event.Commit{CID: commitBlock.CID,
			Rev: []byte("3kaaaaaaaaa2a"), Blocks: []byte{}, Ops: nil}},
		"sync":               {Kind: event.KindSync, Seq: 7, DID: who, Time: at, Sync: event.Sync{Rev: []byte("3k"), Blocks: car()}},
		"identity":           {Kind: event.KindIdentity, Seq: 7, DID: who, Time: at, Identity: event.Identity{Handle: []byte("cat.example")}},
		"identity, none":     {Kind: event.KindIdentity, Seq: 7, DID: who, Time: at},
		"account":            {Kind: event.KindAccount, Seq: 7, DID: who, Time: at, Account: event.Account{Active: true}},
		"account and status": {Kind: event.KindAccount, Seq: event.MaxSeq, DID: who, Time: at, Account: event.Account{Status: []byte("deleted")}},
		"info":               {Kind: event.KindInfo, Notice: event.Notice{Name: []byte("OutdatedCursor"), Message: []byte("gone")}},
		"error":              {Kind: event.KindError, Notice: event.Notice{Name: []byte("FutureCursor")}},
		"unknown":            {Kind: event.KindUnknown, Type: []byte("tombstone"), Seq: 7, Time: at},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := frame.Append(nil, &ev)
			if err != nil {
				t.Fatal(err)
			}
			end, _, err := dagcbor.Skip(data, 0)
			if err != nil || dagcbor.Check(data[:end]) != nil || dagcbor.Check(data[end:]) != nil {
				t.Errorf("not two canonical items: %v", err)
			}
			back := sound(t, data)
			if ev.Kind != event.KindUnknown && ev.Kind != event.KindError {
				ev.Type = []byte(ev.Kind.String())
			}
			for i := range back.Commit.Ops {
				back.Commit.Ops[i].Record, back.Commit.Ops[i].Block = nil, nil
			}
			if back.Commit.Ops = append([]event.Op(nil), back.Commit.Ops...); !reflect.DeepEqual(back, &ev) {
				t.Errorf("back %+v\nwant %+v", back, &ev)
			}
		})
	}
	if _, err := frame.Append(nil, &event.Event{Kind: 99}); err == nil {
		t.Error("accepted a kind outside the vocabulary")
	}
}

func TestPeekAndSetSeq(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty":     nil,
		"garbage":   []byte("\xff\xff"),
		"info":      message(t, "#info", pairs(t, "name", "x")),
		"error":     unhex(t, "a1626f7020 a1656572726f726c467574757265437572736f72"),
		"no header": pairs(t, "seq", 7),
		"seq later": made(t)[:40],
	} {
		if seq, ok := frame.PeekSeq(data); ok || seq != 0 {
			t.Errorf("%s: %d", name, seq)
		}
		if out, ok := frame.SetSeq([]byte("x"), data, 7); ok || string(out) != "x" {
			t.Errorf("%s: SetSeq gave %x", name, out)
		}
	}
	data := made(t)
	for _, seq := range []event.Seq{0, 1, 23, 24, 255, 65535, 1 << 31, 1 << 32, event.MaxSeq} {
		out, ok := frame.SetSeq(nil, data, seq)
		back, valid := frame.PeekSeq(out)
		if !ok || back != seq || valid != seq.Valid() {
			t.Errorf("%d came back as %d, %v", seq, back, valid)
		}
	}
	if _, ok := frame.SetSeq(nil, data, -1); ok {
		t.Error("accepted a negative seq")
	}
}

func TestDecodeAndAppendDoNotAllocate(t *testing.T) {
	var d frame.Decoder
	var ev event.Event
	var out []byte
	data := made(t)
	run := func() {
		if err := d.Decode(data, &ev); err != nil {
			t.Fatal(err)
		}
		out, _ = entry.Append(out[:0], &ev)
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(ev.Commit.Ops) != 1 || ev.Commit.Ops[0].Skip != 0 || ev.Flags != 0 {
		t.Errorf("%+v", ev)
	}
}

func BenchmarkDecodeMade(b *testing.B) { benchmark(b, [][]byte{made(b)}) }

func FuzzDecode(f *testing.F) {
	f.Add(made(f))
	f.Add(commit(f, nil))
	f.Add(commit(f, map[string]any{"a": 1, "blocks": raw{0x5f, 0xff}}))
	f.Add(message(f, "#identity", pairs(f, "did", did, "seq", 7, "handle", "cat.example")))
	f.Add(message(f, "#account", pairs(f, "did", did, "seq", 7, "active", true)))
	f.Add(message(f, "#sync", pairs(f, "did", did, "rev", "x", "seq", 7, "blocks", car())))
	f.Add([]byte{0xbf, 0xff, 0xbf, 0xff})
	seedCapture(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var d frame.Decoder
		var ev event.Event
		err := d.Decode(data, &ev)
		if err != nil {
			var reject *event.Reject
			if !errors.As(err, &reject) || reject.Reason == 0 || reject.Reason.Op() {
				t.Fatalf("error %v", err)
			}
			return
		}
		if len(ev.Commit.Ops) > frame.MaxOps || ev.Seq < 0 || ev.Seq > event.MaxSeq {
			t.Fatalf("%d ops, seq %d", len(ev.Commit.Ops), ev.Seq)
		}
		out, ok := entry.Append(nil, &ev)
		if _, err := entry.Parse(ev.Kind.String(), out); ok && err != nil {
			t.Fatalf("entry: %v: %s", err, out)
		}
		stored := ev.Kind == event.KindCommit || ev.Kind == event.KindIdentity || ev.Kind == event.KindAccount
		if ok != stored {
			t.Fatalf("%s yields an entry: %v", ev.Kind, ok)
		}
		roundTrip(t, &ev)
	})
}

// roundTrip: an event written as a frame reads as the same event.
func roundTrip(t *testing.T, ev *event.Event) {
	t.Helper()
	if ev.Kind == event.KindUnknown || ev.Commit.Rev == nil && ev.Kind == event.KindCommit || ev.Time == nil {
		return // Append gives them what these lack
	}
	for i := range ev.Commit.Ops {
		if ev.Commit.Ops[i].Skip.Op() {
			return // what was wrong with an op is not written again
		}
	}
	data, err := frame.Append(nil, ev)
	if err != nil {
		t.Fatal(err)
	}
	back, reject := decode(t, data)
	if reject != nil || back.Kind != ev.Kind || !bytes.Equal(back.DID, ev.DID) || len(back.Commit.Ops) != len(ev.Commit.Ops) {
		t.Fatalf("back as %+v: %v", back, reject)
	}
}

func seedCapture(f *testing.F) {
	if _, ok := thirdparty.Find("firehose", "frames.bin.zst"); !ok {
		return
	}
	for i, data := range thirdparty.Frames(f) {
		if i%30 == 0 {
			f.Add(data)
		}
	}
}
