package mst

import (
	"bytes"
	"errors"
	"fmt"

	indigo "github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/ipfs/go-cid"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// Errors under which the failures of this package come.
var (
	// ErrPartial: a node that is needed was not sent.
	ErrPartial = indigo.ErrPartialTree
	// ErrInvalid: a node is not what a tree may hold (V6).
	ErrInvalid = errors.New("invalid tree")
)

// encoded is a node on the wire.
type encoded struct {
	Left    dagcbor.Link `cbor:"l"`
	Entries []entry      `cbor:"e"`
}

type entry struct {
	Prefix int64        `cbor:"p"`
	Suffix []byte       `cbor:"k"`
	Value  dagcbor.Link `cbor:"v"`
	Right  dagcbor.Link `cbor:"t"`
}

// Load reads the tree under root, as far as get has its nodes. Get returns
// the block of a CID, its hash checked, or nil. Every node is checked: canonical
// CBOR, keys rising and compressed to the full, heights as their hashes say,
// no empty node but the root (V6). Failures are under ErrInvalid; a missing
// root is ErrPartial.
func Load(root []byte, get func(cid []byte) []byte) (*Tree, error) {
	l := loader{get: get, seen: map[string]bool{}}
	n, err := l.node(root, -1)
	if err == nil && n == nil {
		err = fmt.Errorf("%w: the root is missing", ErrPartial)
	}
	if err != nil {
		return nil, fmt.Errorf("load tree: %w", err)
	}
	return &Tree{indigo.Tree{Root: n}}, nil
}

type loader struct {
	get  func([]byte) []byte
	seen map[string]bool // no node can stand in two places: keys differ
	last []byte          // the highest key so far
}

// node reads the subtree at id; nil when it was not sent. Place is the layer it
// stands in, -1 for the root, whose keys decide.
func (l *loader) node(id []byte, place int) (*indigo.Node, error) {
	data := l.get(id)
	if data == nil {
		return nil, nil
	}
	if l.seen[string(id)] {
		return nil, invalid(id, "it stands in two places")
	}
	l.seen[string(id)] = true
	var e encoded
	if err := dagcbor.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("%w: node %s: %w", ErrInvalid, syntax.CIDText(id), err)
	}
	c, err := cid.Cast(id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	n := &indigo.Node{CID: &c}
	if n.Height, err = height(id, &e, place); err != nil {
		return nil, err
	}
	return n, l.entries(n, &e)
}

// height is the node's layer, from its keys and its place.
func height(id []byte, e *encoded, place int) (int, error) {
	if len(e.Entries) > 0 {
		own := indigo.HeightForKey(e.Entries[0].Suffix)
		if place >= 0 && place != own {
			return 0, invalid(id, "its first key belongs to another layer")
		}
		return own, nil
	}
	switch {
	case place < 0 && e.Left != nil:
		return 0, invalid(id, "the root has no record of its own")
	case place < 0:
		return 0, nil // the empty tree
	case e.Left == nil:
		return 0, invalid(id, "it is empty")
	}
	return place, nil
}

func (l *loader) entries(n *indigo.Node, e *encoded) error {
	id := n.CID.Bytes()
	if err := l.child(n, e.Left); err != nil {
		return err
	}
	var key []byte
	for i := range e.Entries {
		next, err := l.key(n, key, &e.Entries[i])
		if err != nil {
			return err
		}
		key = next
		value, err := cid.Cast(e.Entries[i].Value)
		if err != nil {
			return invalid(id, "a record's link is not a CID")
		}
		n.Entries = append(n.Entries, indigo.NodeEntry{Key: key, Value: &value})
		if err := l.child(n, e.Entries[i].Right); err != nil {
			return err
		}
	}
	return nil
}

// key is the entry's whole key, checked against the node's layer, the key
// before it in the node, and the key before it in the tree.
func (l *loader) key(n *indigo.Node, before []byte, e *entry) ([]byte, error) {
	id := n.CID.Bytes()
	if e.Prefix < 0 || e.Prefix > int64(len(before)) {
		return nil, invalid(id, "a key's prefix is longer than the key before it")
	}
	key := append(bytes.Clone(before[:e.Prefix]), e.Suffix...)
	switch {
	case !indigo.IsValidKey(key):
		return nil, invalid(id, "a key is empty or too long")
	case indigo.CountPrefixLen(before, key) != int(e.Prefix):
		return nil, invalid(id, "a key is not compressed to the full")
	case l.last != nil && bytes.Compare(l.last, key) >= 0:
		return nil, invalid(id, "its keys are out of order")
	case indigo.HeightForKey(key) != n.Height:
		return nil, invalid(id, "a key belongs to another layer")
	}
	l.last = key
	return key, nil
}

// child adds the subtree at link, as a link alone when it was not sent.
func (l *loader) child(n *indigo.Node, link dagcbor.Link) error {
	if link == nil {
		return nil
	}
	id := n.CID.Bytes()
	if n.Height == 0 {
		return invalid(id, "it has a subtree below the lowest layer")
	}
	c, err := cid.Cast(link)
	if err != nil {
		return invalid(id, "a subtree's link is not a CID")
	}
	sub, err := l.node(link, n.Height-1)
	if err != nil {
		return err
	}
	n.Entries = append(n.Entries, indigo.NodeEntry{ChildCID: &c, Child: sub})
	return nil
}

func invalid(id []byte, why string) error {
	return fmt.Errorf("%w: node %s: %s", ErrInvalid, syntax.CIDText(id), why)
}
