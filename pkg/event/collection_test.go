package event

import (
	"strings"
	"testing"
)

// Labels are bounded under hostile input: what is not in the list is "other".
func TestCollectionsAreAFixedList(t *testing.T) {
	for _, name := range collectionNames[1:] {
		if got := CollectionOf([]byte(name)).String(); got != name {
			t.Errorf("%s is counted as %s", name, got)
		}
	}
	for _, name := range []string{"", "other", "app.bsky.feed", "app.bsky.feed.post2", "APP.BSKY.FEED.POST", "app.bsky.feed.post\x00", "com.example.sim.note", strings.Repeat("a", 1<<16)} {
		if got := CollectionOf([]byte(name)); got != OtherCollection {
			t.Errorf("%.40q is counted as %s", name, got)
		}
	}
	name := []byte("app.bsky.graph.follow")
	if n := testing.AllocsPerRun(100, func() { CollectionOf(name) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCountsAdd(t *testing.T) {
	var sum, one Counts
	one.Ops[CollectionOf([]byte("app.bsky.feed.like"))][Create] = 2
	one.Ops[OtherCollection][Create] = 3
	one.Last, one.Frames = 7, 1
	sum.Add(&one)
	sum.Add(&Counts{Frames: 1})
	if sum.Ops.Of(Create) != 5 || sum.Ops.Of(Delete) != 0 || sum.Last != 7 || sum.Frames != 2 {
		t.Errorf("%d creates, %d deletes, last %d, %d frames", sum.Ops.Of(Create), sum.Ops.Of(Delete), sum.Last, sum.Frames)
	}
}

func BenchmarkCollectionOf(b *testing.B) {
	names := [][]byte{[]byte("app.bsky.feed.like"), []byte("app.bsky.feed.post"), []byte("com.example.stranger")}
	for i := 0; b.Loop(); i++ {
		CollectionOf(names[i%len(names)])
	}
}
