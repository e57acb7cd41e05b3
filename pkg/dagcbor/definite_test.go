package dagcbor

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
)

// item appends a random item to open, with some lengths indefinite, and to closed with
// none.
func item(rng *rand.Rand, open, closed []byte, depth int) ([]byte, []byte) {
	kind := rng.IntN(6)
	if depth == 0 {
		kind %= 2
	}
	count := []int{0, 1, 3, 23, 24, 30}[rng.IntN(6)]
	if kind == 4 && depth == 3 {
		count = []int{255, 256, 300, 65_535, 65_536}[rng.IntN(5)]
	}
	switch kind {
	case 0:
		n := rng.Uint64N(1 << (1 + rng.IntN(60)))
		return AppendHead(open, MajorUint, n), AppendHead(closed, MajorUint, n)
	case 1, 2:
		text := bytes.Repeat([]byte{'x'}, count*depth)
		closed = append(AppendHead(closed, MajorText, uint64(len(text))), text...)
		if kind == 1 {
			return append(AppendHead(open, MajorText, uint64(len(text))), text...), closed
		}
		open = append(open, 0x7f)
		for len(text) > 0 {
			n := 1 + rng.IntN(len(text))
			open = append(AppendHead(open, MajorText, uint64(n)), text[:n]...)
			text = text[n:]
		}
		return append(open, 0xff), closed
	case 5:
		open, closed = append(open, 0xd8, 42), append(closed, 0xd8, 42)
		return item(rng, open, closed, depth-1)
	}
	major := MajorArray + byte(kind-3) // or MajorMap
	closed = AppendHead(closed, major, uint64(count))
	indefinite := rng.IntN(3) > 0
	if indefinite {
		open = append(open, major<<5|31)
	} else {
		open = AppendHead(open, major, uint64(count))
	}
	for range count * (kind - 2) {
		if count > 30 {
			open, closed = append(open, 0xf6), append(closed, 0xf6)
			continue
		}
		open, closed = item(rng, open, closed, depth-1)
	}
	if indefinite {
		open = append(open, 0xff)
	}
	return open, closed
}

// D1: the definite form is the same item with each head as short as it can be.
func TestD1DefiniteForm(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		open, closed := item(rng, nil, nil, 3)
		got, end, err := Definite([]byte("before"), append(open, "behind"...))
		if err != nil || end != len(open) || string(got[6:]) != string(closed) {
			t.Fatalf("seed %d: %d bytes become %d, want %d; %d of them read, %v", seed, len(open), len(got)-6, len(closed), end, err)
		}
		if len(closed) > definiteSize(len(open)) {
			t.Fatalf("seed %d: %d bytes become %d, above %d", seed, len(open), len(closed), definiteSize(len(open)))
		}
	}
}

// G5: empty containers, of which each is one byte, do not grow with what is indefinite
// around them, and nothing is copied by and by.
func TestDefiniteFormTakesOneCopy(t *testing.T) {
	const size, each = 4_000_000, 100_000
	for name, one := range map[string][]byte{"empty arrays": {0x80}, "empty indefinite maps": {0xbf, 0xff}, "empty texts": {0x60}} {
		data := []byte{0x9f}
		for len(data) < size {
			data = append(AppendHead(data, MajorArray, each), bytes.Repeat(one, each)...)
		}
		data = append(data, 0xff)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		form, end, err := Definite(nil, data)
		runtime.ReadMemStats(&after)
		if err != nil || end != len(data) || len(form) > len(data) {
			t.Errorf("%s: %d bytes become %d, %v", name, len(data), len(form), err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(len(data)+len(data)/10) {
			t.Errorf("%s: %d bytes took %d", name, len(data), took)
		}
	}
}
