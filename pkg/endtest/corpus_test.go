package endtest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/sim"
)

// corpus is what the relay's events are made of: a few frames of every kind, to
// be renumbered.
type corpus struct{ frames [][]byte }

func newCorpus(t *testing.T) *corpus {
	t.Helper()
	c := &corpus{}
	did, when := []byte("did:plc:aaaabbbbccccddddeeeeffff"), []byte("2026-01-01T00:00:00.000Z")
	for _, ev := range []event.Event{
		{Kind: event.KindIdentity, Identity: event.Identity{Handle: []byte("cat.example")}},
		{Kind: event.KindIdentity},
		{Kind: event.KindAccount, Account: event.Account{Active: true}},
		{Kind: event.KindAccount, Account: event.Account{Status: []byte("deleted")}},
		{Kind: event.KindSync, Sync: event.Sync{Rev: []byte("3kaaaaaaaaa2a"), Blocks: []byte{1}}},
		{Kind: event.KindUnknown, Type: []byte("zebra")},
	} {
		ev.Seq, ev.DID, ev.Time = 1, did, when
		raw, err := frame.Append(nil, &ev)
		if err != nil {
			t.Fatal(err)
		}
		c.frames = append(c.frames, raw)
	}
	c.frames = append(c.frames, notAnIdentity())
	c.frames = append(c.frames, commits(t, 20)...)
	return c
}

// notAnIdentity is sound CBOR whose did is a number: it costs its event, which
// is counted and named, and nothing else.
func notAnIdentity() []byte {
	b := dagcbor.AppendHead(nil, dagcbor.MajorMap, 2)
	b = dagcbor.AppendText(b, "t")
	b = dagcbor.AppendText(b, "#identity")
	b = dagcbor.AppendText(b, "op")
	b = dagcbor.AppendHead(b, dagcbor.MajorUint, 1)
	b = dagcbor.AppendHead(b, dagcbor.MajorMap, 2)
	b = dagcbor.AppendText(b, "did")
	b = dagcbor.AppendHead(b, dagcbor.MajorUint, 5)
	b = dagcbor.AppendText(b, "seq")
	return dagcbor.AppendHead(b, dagcbor.MajorUint, 1)
}

// commits are frames of the simulated network.
func commits(t *testing.T, n int) (frames [][]byte) {
	t.Helper()
	source, err := sim.New(sim.Config{Count: 200, Seed: 5, Accounts: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var decoder frame.Decoder
	var ev event.Event
	for after := event.Seq(0); len(frames) < n; {
		seq, raw, err := source.Next(context.Background(), after)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if after = seq; decoder.Decode(raw, &ev) == nil && ev.Kind == event.KindCommit && len(raw) < 4000 {
			frames = append(frames, raw)
		}
	}
	return frames
}

// make draws the event with this seq, and what must become of it.
func (c *corpus) make(rng *rand.Rand, seq event.Seq, keep *filter.Filter) (raw []byte, want *item) {
	raw, ok := frame.SetSeq(nil, c.frames[rng.IntN(len(c.frames))], seq)
	if !ok {
		panic("a frame has no seq")
	}
	var decoder frame.Decoder
	var ev event.Event
	if decoder.Decode(raw, &ev) != nil || !keep.Keep(&ev) {
		return raw, nil
	}
	data, ok := entry.Append(nil, &ev)
	if !ok {
		return raw, nil
	}
	return raw, &item{seq: seq, kind: ev.Kind.String(), data: string(data)}
}
