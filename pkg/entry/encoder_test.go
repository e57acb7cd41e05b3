package entry_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// repeated is a commit of n creates that name the given blocks in turn.
func repeated(t testing.TB, n int, records ...map[string]any) *event.Event {
	t.Helper()
	ev := &event.Event{Kind: event.KindCommit, Seq: 7, DID: []byte(did)}
	var all [][]byte
	for _, r := range records {
		data, err := dagcbor.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	for i := range n {
		block := all[i%len(all)]
		ev.Commit.Ops = append(ev.Commit.Ops, event.Op{Action: event.Create, Path: fmt.Appendf(nil, "a.b.c/%d", i),
			CID: syntax.SumCID(syntax.CodecDAGCBOR, block), Block: block, Number: i % len(all)})
	}
	return ev
}

// The limit is exact, and memory with Overrun bytes beyond it never grows.
func TestEncoderLimitIsExact(t *testing.T) {
	for name, record := range map[string]map[string]any{
		"escapes": {"$type": "a.b.c", "t": strings.Repeat("\x01", 500)},
		"bytes":   {"$type": "a.b.c", "b": make([]byte, 1000)},
		"empties": {"$type": "a.b.c", "l": []any{[]byte{}, []byte{}, []byte{}, "", []any{}, map[string]any{}, nil, false, -7}},
		"links":   {"$type": "a.b.c", "l": []any{dagcbor.Link(syntax.SumCID(syntax.CodecRaw, nil)), dagcbor.Link(syntax.SumCID(syntax.CodecRaw, nil))}},
		"keys":    {"$type": "a.b.c", strings.Repeat("\x02", 100): 1},
	} {
		var e entry.Encoder
		ev := repeated(t, 3, record, map[string]any{"$type": "d.e.f"})
		whole, ok, err := e.Append(nil, ev, event.MaxData)
		if !ok || err != nil {
			t.Fatalf("%s: %v, %v", name, ok, err)
		}
		for limit := range len(whole) + 2 {
			buf := make([]byte, 0, limit+entry.Overrun)
			out, ok, err := e.Append(buf, ev, limit)
			if fits := limit >= len(whole); ok != fits || errors.Is(err, entry.ErrLimit) == fits {
				t.Fatalf("%s: limit %d of %d: %v, %v", name, limit, len(whole), ok, err)
			}
			if &out[:1][0] != &buf[:1][0] || ok && !bytes.Equal(out, whole) || !ok && len(out) != 0 {
				t.Fatalf("%s: limit %d: the output moved, or is %q", name, limit, out)
			}
		}
	}
}

// One block that many ops name is made once, and counts as often as it is named.
func TestEncoderCountsEveryOp(t *testing.T) {
	var e entry.Encoder
	record := map[string]any{"$type": "a.b.c", "t": strings.Repeat("\x01", 100_000)}
	out, ok, err := e.Data(repeated(t, 20, record))
	if !ok || err != nil || len(out) < 12_000_000 || len(out) > event.MaxData {
		t.Errorf("20 times 600 KB: %d bytes, %v, %v", len(out), ok, err)
	}
	if _, ok, err := e.Data(repeated(t, 200, record)); ok || !errors.Is(err, entry.ErrLimit) {
		t.Errorf("200 times 600 KB: %v, %v", ok, err)
	}
	for n, ev := range []*event.Event{repeated(t, 200, record), {Kind: event.KindAccount, DID: []byte(did), Account: event.Account{Status: bytes.Repeat([]byte{1}, 3_000_000)}}} {
		if out, ok := entry.Append([]byte("keep:"), ev); ok || string(out) != "keep:" {
			t.Errorf("%d: Append: %d bytes, %v", n, len(out), ok)
		}
	}
	small, ok, err := e.Data(repeated(t, 1, map[string]any{"$type": "a.b.c"}))
	if !ok || err != nil || cap(small) > 2<<20 {
		t.Errorf("after a large entry %d bytes are kept: %v, %v", cap(small), ok, err)
	}
}

// BenchmarkSwells is the worst that a byte of input can cost: one block of control
// characters that 200 ops name, and empty byte strings. MB/s is of the output.
func BenchmarkSwells(b *testing.B) {
	empties := make([]any, 100_000)
	for i := range empties {
		empties[i] = []byte{}
	}
	for name, ev := range map[string]*event.Event{
		"200-times-one-block": repeated(b, 200, map[string]any{"$type": "a.b.c", "t": strings.Repeat("\x01", 6900)}),
		"control-characters":  repeated(b, 1, map[string]any{"$type": "a.b.c", "t": strings.Repeat("\x01", 1_000_000)}),
		"empty-bytes":         repeated(b, 1, map[string]any{"$type": "a.b.c", "l": empties[:100_000]}),
	} {
		b.Run(name, func(b *testing.B) {
			var e entry.Encoder
			in := map[*byte]int{}
			for i := range ev.Commit.Ops {
				in[&ev.Commit.Ops[i].Block[0]] = len(ev.Commit.Ops[i].Block)
			}
			size := 150 * len(ev.Commit.Ops)
			for _, n := range in {
				size += n
			}
			buf := make([]byte, 0, event.MaxData+entry.Overrun)
			out, _, err := e.Append(buf, ev, event.MaxData)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(out)))
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = e.Append(buf, ev, event.MaxData)
			}
			b.ReportMetric(float64(len(out))/float64(size), "out/in")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/byte-in")
		})
	}
}

// Text is Data. A large one is given away: the next event does not change it, and it is
// there once.
func TestTextIsThereOnce(t *testing.T) {
	small := repeated(t, 2, map[string]any{"$type": "a.b.c", "t": "x"})
	large := repeated(t, 150, map[string]any{"$type": "a.b.c", "t": strings.Repeat("\x01", 6000)})
	var e entry.Encoder
	for _, ev := range []*event.Event{small, large, small, large} {
		want, _, err := e.Append(nil, ev, event.MaxData)
		if err != nil {
			t.Fatal(err)
		}
		text, ok, err := e.Text(ev)
		if _, _, next := e.Text(repeated(t, 150, map[string]any{"$type": "a.b.c", "t": strings.Repeat("\x02", 6000)})); !ok || err != nil || next != nil || text != string(want) {
			t.Fatalf("%d bytes, want %d; %v", len(text), len(want), err)
		}
	}
	r := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, _, err := e.Text(large); err != nil {
				b.Fatal(err)
			}
		}
	})
	if most := int64(event.MaxData + 2<<20); r.AllocedBytesPerOp() > most {
		t.Errorf("%d bytes are allocated for it, at most %d", r.AllocedBytesPerOp(), most)
	}
}
