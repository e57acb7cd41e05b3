package mst

import (
	"fmt"

	indigo "github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/ipfs/go-cid"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// proof collects the blocks of changed nodes. It does what indigo's
// WriteDiffBlocks does, in a fifth of the time: making synthetic traffic is
// little else.
type proof struct{ nodes []blocks.Block }

func (p *proof) add(n *indigo.Node) error {
	for i := range n.Entries {
		e := &n.Entries[i]
		if e.Child != nil && (e.Dirty || e.Child.Dirty) {
			if err := p.add(e.Child); err != nil {
				return err
			}
			e.ChildCID = e.Child.CID
		}
		e.Dirty = false
	}
	data := encode(n)
	id := syntax.SumCID(syntax.CodecDAGCBOR, data)
	c, err := cid.Cast(id)
	if err != nil {
		return fmt.Errorf("hash node: %w", err)
	}
	n.CID, n.Dirty = &c, false
	p.nodes = append(p.nodes, blocks.Block{CID: id, Data: data})
	return nil
}

// nodeHead and entrySize are about what a node and each of its entries take.
const (
	nodeHead  = 64
	entrySize = 128
)

// encode is the node's block: {"e": entries, "l": left subtree}.
func encode(n *indigo.Node) []byte {
	values, left := len(n.Entries), (*cid.Cid)(nil)
	for i := range n.Entries {
		if n.Entries[i].IsChild() {
			values--
		}
	}
	if len(n.Entries) > 0 && n.Entries[0].IsChild() {
		left = n.Entries[0].ChildCID
	}
	out := make([]byte, 0, nodeHead+entrySize*values)
	out = dagcbor.AppendHead(out, dagcbor.MajorMap, 2)
	out = dagcbor.AppendHead(dagcbor.AppendText(out, "e"), dagcbor.MajorArray, uint64(values))
	var before []byte
	for i := range n.Entries {
		if e := &n.Entries[i]; e.IsValue() {
			out = appendEntry(out, before, e, right(n.Entries[i+1:]))
			before = e.Key
		}
	}
	return appendLink(dagcbor.AppendText(out, "l"), left)
}

// right is the subtree between an entry and the rest, if there is one.
func right(rest []indigo.NodeEntry) *cid.Cid {
	if len(rest) > 0 && rest[0].IsChild() {
		return rest[0].ChildCID
	}
	return nil
}

func appendEntry(out, before []byte, e *indigo.NodeEntry, right *cid.Cid) []byte {
	shared := indigo.CountPrefixLen(before, e.Key)
	out = dagcbor.AppendHead(out, dagcbor.MajorMap, 4)
	out = dagcbor.AppendHead(dagcbor.AppendText(out, "k"), dagcbor.MajorBytes, uint64(len(e.Key)-shared))
	out = append(out, e.Key[shared:]...)
	out = dagcbor.AppendHead(dagcbor.AppendText(out, "p"), dagcbor.MajorUint, uint64(shared))
	out = appendLink(dagcbor.AppendText(out, "t"), right)
	return appendLink(dagcbor.AppendText(out, "v"), e.Value)
}

func appendLink(out []byte, c *cid.Cid) []byte {
	if c == nil {
		return append(out, dagcbor.Null)
	}
	// A CID is a string inside; this keeps its bytes off the heap.
	var buf [syntax.CIDLen]byte
	return dagcbor.AppendLink(out, append(buf[:0], c.KeyString()...))
}
