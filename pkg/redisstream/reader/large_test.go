package reader

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// largeStream holds entries of sizes that make a thousand of them anything from a
// kilobyte to gigabytes, and gives how long the data of each is, by seq.
func largeStream(k *readKit) (sizes []int) {
	add := func(n int) {
		sizes = append(sizes, n)
		k.Do("xadd", keyspace.DefaultStream, "*", "type", "commit", "data", strings.Repeat("x", n), "seq", fmt.Sprint(len(sizes)))
	}
	for range 300 {
		add(100)
	}
	for range 3 {
		add(5 << 20)
		add(longBytes)
		add(longBytes + 1)
		add(1_000_000)
		add(1_500_000)
		add(0)
	}
	for range 300 {
		add(2000)
	}
	add(3 << 20)
	return sizes
}

// check fails unless s is the entry of that seq, whole.
func checkLarge(t *testing.T, s Stored, seq int, sizes []int) {
	t.Helper()
	data, _ := s.Value("data")
	if got, ok := s.Seq(); !ok || got != event.Seq(seq) || data != strings.Repeat("x", sizes[seq-1]) || len(s.Fields) != 6 {
		t.Fatalf("entry %d is seq %s of %d bytes, want %d", seq, got, len(data), sizes[seq-1])
	}
}

// G5: what a reader holds of a stream is bounded in bytes. Pages hold about two
// megabytes or one entry; ranges and followers yield each entry whole, once.
func TestReadersHoldLargeEntriesOneAtATime(t *testing.T) {
	redistest.RequireReal(t)
	k := newReadKit(t, redistest.Start(t))
	sizes := largeStream(k)
	r, err := Open(k.Ctx(), Config{Connection: k.Connection()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()

	from, next := ID("-"), 1
	for more := true; more; {
		var entries []Stored
		entries, more, err = r.page(k.Ctx(), "xrange", from, "+", DefaultPage)
		if err == nil && len(entries) == 0 {
			break
		}
		if err != nil {
			t.Fatalf("page from %s: %d entries, %v", from, len(entries), err)
		}
		held := 0
		for _, s := range entries {
			checkLarge(t, s, next, sizes)
			held += sizes[next-1]
			next++
		}
		if held > pageBytes && len(entries) > 1 {
			t.Errorf("a page of %d entries holds %d bytes", len(entries), held)
		}
		from = entries[len(entries)-1].ID.Next()
	}
	if next != len(sizes)+1 {
		t.Errorf("pages end at %d of %d", next-1, len(sizes))
	}

	next = 1
	for s, err := range r.Range(k.Ctx(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		checkLarge(t, s, next, sizes)
		next++
	}
	ctx, stop := context.WithCancel(k.Ctx())
	defer stop()
	followed := 1
	for s, err := range r.Follow(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		checkLarge(t, s, followed, sizes)
		if followed++; followed > len(sizes) {
			break
		}
	}
	latest := len(sizes) - 310
	for s, err := range r.Latest(k.Ctx(), 310) {
		if err != nil {
			t.Fatal(err)
		}
		latest++
		checkLarge(t, s, latest, sizes)
	}
	if latest != len(sizes) {
		t.Errorf("the latest 310 end at %d of %d", latest, len(sizes))
	}
	last, err := r.Last(k.Ctx(), 400)
	if err != nil || len(last) != 400 || next != len(sizes)+1 {
		t.Fatalf("the last 400: %d, %v; the range had %d", len(last), err, next-1)
	}
	for i, s := range last {
		checkLarge(t, s, len(sizes)-400+i+1, sizes)
	}
}

// What is asked for its seq or id alone is never held whole.
func TestReadersCutWhatIsOnlyLookedAt(t *testing.T) {
	redistest.RequireReal(t)
	k := newReadKit(t, redistest.Start(t))
	sizes := largeStream(k)
	r, err := Open(k.Ctx(), Config{Connection: k.Connection()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := r.Bounds(k.Ctx())
	if err != nil {
		t.Fatal(err)
	}
	if seq, ok := b.Last.Seq(); !ok || seq != event.Seq(len(sizes)) || b.Length != int64(len(sizes)) {
		t.Errorf("bounds end at seq %s, %v", seq, ok)
	}
	if data, _ := b.Last.Value("data"); len(data) != headBytes {
		t.Errorf("%d bytes of the last entry are held", len(data))
	}
	all, err := r.heads(k.Ctx(), "xrange", "-", "+", DefaultPage)
	if err != nil || len(all) != len(sizes) {
		t.Fatalf("%d heads, %v", len(all), err)
	}
	for i, s := range all {
		data, _ := s.Value("data")
		if seq, _ := s.Seq(); seq != event.Seq(i+1) || len(data) > longBytes || sizes[i] <= longBytes && len(data) != sizes[i] {
			t.Fatalf("head %d is seq %s of %d bytes", i, seq, len(data))
		}
	}
	for _, seq := range []event.Seq{1, 301, 302, 310, 400, event.Seq(len(sizes))} {
		s, found, err := r.SeekSeq(k.Ctx(), seq)
		if got, _ := s.Seq(); err != nil || !found || got != seq {
			t.Errorf("seek %s: found %s, %v, %v", seq, got, found, err)
		}
	}
}
