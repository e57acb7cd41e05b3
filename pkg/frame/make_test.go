package frame_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/syntax"
)

const did = "did:plc:aaaabbbbccccddddeeeeffff"

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	data, err := dagcbor.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// raw is an encoded CBOR item, written as it is.
type raw []byte

// pairs writes a map in the given order, keys and values alternating.
func pairs(tb testing.TB, items ...any) raw {
	tb.Helper()
	out := dagcbor.AppendHead(nil, dagcbor.MajorMap, uint64(len(items)/2))
	for _, item := range items {
		if encoded, ok := item.(raw); ok {
			out = append(out, encoded...)
		} else {
			out = append(out, marshal(tb, item)...)
		}
	}
	return out
}

// list writes an array of encoded items.
func list(items ...raw) raw {
	out := dagcbor.AppendHead(nil, dagcbor.MajorArray, uint64(len(items)))
	for _, item := range items {
		out = append(out, item...)
	}
	return out
}

func message(tb testing.TB, label string, payload raw) []byte {
	tb.Helper()
	return append(pairs(tb, "t", label, "op", 1), payload...)
}

// block is one block under its own CID.
func block(codec byte, data []byte) blocks.Block {
	return blocks.Block{CID: syntax.SumCID(codec, data), Data: data}
}

func record(tb testing.TB, text string) blocks.Block {
	tb.Helper()
	return block(syntax.CodecDAGCBOR, marshal(tb, map[string]any{
		"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-01-02T03:04:05.000Z"}))
}

var commitBlock = block(syntax.CodecDAGCBOR, []byte("stands for a commit"))

func car(list ...blocks.Block) []byte {
	return blocks.Write(commitBlock.CID, append(list, commitBlock))
}

// commitFields are the fields of a sound commit, in canonical order, with the
// given ones replaced, or removed where the value is nil.
func commitFields(tb testing.TB, replace map[string]any) raw {
	tb.Helper()
	r := record(tb, "hej")
	fields := []any{
		"ops", list(pairs(tb, "cid", dagcbor.Link(r.CID), "path", "app.bsky.feed.post/3kaaaaaaaaa2a", "action", "create")),
		"rev", "3kaaaaaaaaa2a", "seq", 7, "repo", did, "time", "2026-01-02T03:04:05.000Z", "blobs", []any{},
		"since", "3kaaaaaaaaa22", "blocks", car(r), "commit", dagcbor.Link(commitBlock.CID),
		"rebase", false, "tooBig", false, "prevData", dagcbor.Link(commitBlock.CID),
	}
	var out []any
	for i := 0; i < len(fields); i += 2 {
		value, replaced := replace[fields[i].(string)]
		if !replaced {
			value = fields[i+1]
		}
		if value != nil {
			out = append(out, fields[i], value)
		}
		delete(replace, fields[i].(string))
	}
	for key, value := range replace {
		out = append(out, key, value)
	}
	return pairs(tb, out...)
}

func commit(tb testing.TB, replace map[string]any) []byte {
	tb.Helper()
	return message(tb, "#commit", commitFields(tb, replace))
}

// decode decodes with a fresh decoder.
func decode(tb testing.TB, data []byte) (*event.Event, *event.Reject) {
	tb.Helper()
	var d frame.Decoder
	var ev event.Event
	var reject *event.Reject
	if err := d.Decode(data, &ev); err != nil && !errors.As(err, &reject) {
		tb.Fatalf("error of another type: %v", err)
	}
	return &ev, reject
}

// sound decodes what must not be rejected.
func sound(tb testing.TB, data []byte) *event.Event {
	tb.Helper()
	ev, reject := decode(tb, data)
	if reject != nil {
		tb.Fatal(reject)
	}
	return ev
}

// made is a frame of the usual size and shape: one like among the nodes of its
// proof.
func made(tb testing.TB) []byte {
	tb.Helper()
	like := block(syntax.CodecDAGCBOR, marshal(tb, map[string]any{
		"$type": "app.bsky.feed.like", "createdAt": "2026-01-02T03:04:05.000Z",
		"subject": map[string]any{"cid": syntax.CIDText(commitBlock.CID), "uri": "at://" + did + "/app.bsky.feed.post/3kaaaaaaaaa2a"},
	}))
	var list []blocks.Block
	for i := range 10 {
		list = append(list, block(syntax.CodecDAGCBOR, bytes.Repeat([]byte{byte(i)}, 450)))
	}
	ev := &event.Event{Kind: event.KindCommit, Seq: 7_000_000_123, DID: []byte(did), Time: []byte("2026-01-02T03:04:05.000Z"),
		Commit: event.Commit{CID: commitBlock.CID, PrevData: commitBlock.CID, Rev: []byte("3kaaaaaaaaa2a"), Since: []byte("3kaaaaaaaaa22"),
			Blocks: car(append(list, like)...),
			Ops:    []event.Op{{Action: event.Create, Path: []byte("app.bsky.feed.like/3kbbbbbbbbb2b"), CID: like.CID}}}}
	out, err := frame.Append(nil, ev)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
