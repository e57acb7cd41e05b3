package syntax_test

import (
	"bytes"
	"crypto/sha512"
	"testing"

	gocid "github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/fhctl/fhctl/pkg/syntax"
)

func TestD5SumCIDMatchesGoCID(t *testing.T) {
	for _, codec := range []byte{syntax.CodecDAGCBOR, syntax.CodecRaw} {
		for _, data := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("fhctl"), 1000)} {
			want, err := gocid.V1Builder{Codec: uint64(codec), MhType: multihash.SHA2_256}.Sum(data)
			if err != nil {
				t.Fatal(err)
			}
			got := syntax.SumCID(codec, data)
			if !bytes.Equal(got, want.Bytes()) || !syntax.StrictCID(got, codec) || syntax.StrictCID(got, codec+1) {
				t.Errorf("codec %x: %x, want %x", codec, got, want.Bytes())
			}
			if text := syntax.CIDText(got); text != want.String() {
				t.Errorf("text %s, want %s", text, want)
			}
		}
	}
}

// foreignCIDs are well-formed but not atproto's.
func foreignCIDs(t testing.TB) []gocid.Cid {
	t.Helper()
	var out []gocid.Cid
	for _, b := range []gocid.Builder{
		gocid.V0Builder{},
		gocid.V1Builder{Codec: 0x70, MhType: multihash.SHA2_256},
		gocid.V1Builder{Codec: 0x0129, MhType: multihash.SHA2_512},
		gocid.V1Builder{Codec: 0x71, MhType: multihash.IDENTITY},
	} {
		c, err := b.Sum([]byte("foreign"))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	sum := sha512.Sum512([]byte("foreign"))
	mh, err := multihash.Encode(sum[:32], 0xb220) // BLAKE2b-256: a 38-byte CID
	if err != nil {
		t.Fatal(err)
	}
	return append(out, gocid.NewCidV1(0x71, mh))
}

func TestD5ForeignCIDsKeepTheirText(t *testing.T) {
	for _, c := range foreignCIDs(t) {
		raw := c.Bytes()
		if n := syntax.CIDSize(append(bytes.Clone(raw), 1, 2, 3)); n != len(raw) {
			t.Errorf("%s: size %d, want %d", c, n, len(raw))
		}
		if got := syntax.CIDText(raw); got != c.String() {
			t.Errorf("text %s, want %s", got, c)
		}
		back, err := syntax.ParseCID(c.String())
		if err != nil || !bytes.Equal(back, raw) {
			t.Errorf("%s: back %x, %v", c, back, err)
		}
		for cut := range raw {
			if n := syntax.CIDSize(raw[:cut]); n != 0 {
				t.Errorf("%s cut to %d bytes: size %d", c, cut, n)
			}
		}
	}
}

func TestD5ParseCIDRefuses(t *testing.T) {
	good := syntax.CIDText(syntax.SumCID(syntax.CodecRaw, nil))
	for _, text := range []string{
		"", "b", "bafy", "example.com", good + "a", good[:len(good)-1], "B" + good[1:],
		good[:len(good)-1] + "r", "Qm", "Qm0", "z", "zQm", "z" + good,
	} {
		if cid, err := syntax.ParseCID(text); err == nil {
			t.Errorf("%q: accepted as %x", text, cid)
		}
	}
}

func TestB4Uvarint(t *testing.T) {
	for _, c := range []struct {
		in []byte
		v  uint64
		n  int
	}{
		{nil, 0, 0},
		{[]byte{0}, 0, 1},
		{[]byte{0x7f}, 127, 1},
		{[]byte{0x80}, 0, 0},
		{[]byte{0x80, 0x01}, 128, 2},
		{[]byte{0x81, 0x00}, 0, -1},
		{bytes.Repeat([]byte{0xff}, 10), 0, -1},
		{append(bytes.Repeat([]byte{0xff}, 8), 0x7f), 1<<63 - 1, 9},
	} {
		if v, n := syntax.Uvarint(c.in); v != c.v || n != c.n {
			t.Errorf("%x: %d, %d; want %d, %d", c.in, v, n, c.v, c.n)
		}
	}
}

func TestCIDTextDoesNotAllocate(t *testing.T) {
	cid := syntax.SumCID(syntax.CodecRaw, nil)
	dst := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { dst = syntax.AppendCID(dst[:0], cid) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendCID(b *testing.B) {
	cid := syntax.SumCID(syntax.CodecRaw, nil)
	dst := make([]byte, 0, 64)
	for b.Loop() {
		dst = syntax.AppendCID(dst[:0], cid)
	}
}
