package dagcbor_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/syntax"
)

func TestD1MarshalIsCanonical(t *testing.T) {
	got, err := dagcbor.Marshal(map[string]any{"bb": 1, "a": []any{nil, true, -25, "x", []byte{1}}, "c": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	want := "a3" + "6161" + "85f6f538186178" + "4101" + "6163" + "a0" + "626262" + "01"
	if hex.EncodeToString(got) != want {
		t.Errorf("%x, want %s", got, want)
	}
}

func TestD1MarshalRefuses(t *testing.T) {
	deep := any("bottom")
	for range dagcbor.MaxDepth + 1 {
		deep = []any{deep}
	}
	for name, v := range map[string]any{
		"float":    map[string]any{"a": 1.5},
		"nan":      math.NaN(),
		"uint64":   uint64(math.MaxUint64),
		"int key":  map[int]string{1: "a"},
		"bad text": "\xff",
		"bad link": dagcbor.Link{1, 2, 3},
		"deep":     deep,
		"long key": map[string]any{strings.Repeat("k", dagcbor.MaxKey+1): 1},
	} {
		if got, err := dagcbor.Marshal(v); err == nil {
			t.Errorf("%s: accepted as %x", name, got)
		}
	}
}

func TestD5LinksRoundTrip(t *testing.T) {
	cid := dagcbor.Link(syntax.SumCID(syntax.CodecRaw, []byte("blob")))
	type node struct {
		Ref  dagcbor.Link  `cbor:"ref"`
		Prev *dagcbor.Link `cbor:"prev"`
		None dagcbor.Link  `cbor:"none"`
		Any  any           `cbor:"any"`
	}
	data, err := dagcbor.Marshal(node{Ref: cid, Any: int64(3)})
	if err != nil {
		t.Fatal(err)
	}
	var back node
	if err := dagcbor.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.Ref, cid) || back.Prev != nil || back.None != nil {
		t.Errorf("struct: %+v", back)
	}
	var generic any
	if err := dagcbor.Unmarshal(data, &generic); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"ref": cid, "prev": nil, "none": nil, "any": int64(3)}
	if !reflect.DeepEqual(generic, want) {
		t.Errorf("any: %#v", generic)
	}
	again, err := dagcbor.Marshal(generic)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("again: %x, want %x: %v", again, data, err)
	}
}
