package frame_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atdata"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

// Every record of the capture equals what go-car and indigo make of the same
// bytes, as JSON with exact numbers.
func TestRealFramesEqualIndigo(t *testing.T) {
	var d frame.Decoder
	var ev event.Event
	var kinds [event.Kinds]int
	actions := map[event.Action]int{}
	for i, data := range thirdparty.Frames(t) {
		if err := d.Decode(data, &ev); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if ev.Seq != event.Seq(31527015322+i) || ev.Flags != 0 {
			t.Errorf("frame %d: seq %d, flags %b", i, ev.Seq, ev.Flags)
		}
		kinds[ev.Kind]++
		if ev.Kind == event.KindCommit {
			equalsIndigo(t, &ev, actions)
		}
		again(t, data, &ev)
	}
	if kinds[event.KindCommit] != 148 || kinds[event.KindIdentity] != 1 || kinds[event.KindAccount] != 1 {
		t.Errorf("kinds %v", kinds)
	}
	if want := map[event.Action]int{event.Create: 144, event.Update: 2, event.Delete: 4}; !reflect.DeepEqual(actions, want) {
		t.Errorf("actions %v, want %v", actions, want)
	}
}

func equalsIndigo(t *testing.T, ev *event.Event, actions map[event.Action]int) {
	t.Helper()
	archive, err := blocks.Read(ev.Commit.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := entry.Append(nil, ev)
	parsed, err := entry.Parse("commit", out)
	if err != nil || parsed.Commit.Repo != string(ev.DID) || len(parsed.Commit.Ops) != len(ev.Commit.Ops) {
		t.Fatalf("seq %d: entry: %v", ev.Seq, err)
	}
	for i, op := range ev.Commit.Ops {
		actions[op.Action]++
		if op.Skip != 0 {
			t.Errorf("seq %d: skipped: %s", ev.Seq, op.Skip)
		}
		if op.Action == event.Delete {
			continue
		}
		block := archive.Get(op.CID)
		v, err := atdata.UnmarshalCBOR(block)
		if err != nil || !bytes.Equal(block, op.Block) {
			t.Fatalf("seq %d: indigo: %v", ev.Seq, err)
		}
		theirs, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		e := parsed.Commit.Ops[i]
		if !reflect.DeepEqual(plain(t, e.Record), plain(t, theirs)) || e.CID != syntax.CIDText(op.CID) {
			t.Errorf("seq %d: record differs from indigo's", ev.Seq)
		}
	}
}

func plain(t *testing.T, data []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// again: what Append writes decodes to the same event, and SetSeq changes the
// seq alone.
func again(t *testing.T, data []byte, ev *event.Event) {
	t.Helper()
	if seq, ok := frame.PeekSeq(data); !ok || seq != ev.Seq {
		t.Errorf("seq %d: PeekSeq %d %v", ev.Seq, seq, ok)
	}
	copied, err := frame.Append(nil, ev)
	if err != nil {
		t.Fatal(err)
	}
	if len(ev.Commit.Ops) == 0 {
		ev.Commit.Ops = nil
	}
	if back := sound(t, copied); !reflect.DeepEqual(back, ev) {
		t.Errorf("seq %d: Append and Decode differ", ev.Seq)
	}
	moved, ok := frame.SetSeq([]byte("keep"), data, 5)
	moved = moved[4:]
	if back := sound(t, moved); !ok || back.Seq != 5 {
		t.Errorf("seq %d: SetSeq gave %d", ev.Seq, back.Seq)
	}
	if restored, _ := frame.SetSeq(nil, moved, ev.Seq); !bytes.Equal(restored, data) {
		t.Errorf("seq %d: SetSeq changed other bytes", ev.Seq)
	}
}
