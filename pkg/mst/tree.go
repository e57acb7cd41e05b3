package mst

import (
	"bytes"
	"fmt"
	"slices"

	indigo "github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/ipfs/go-cid"

	"github.com/fhctl/fhctl/pkg/blocks"
)

// Tree is one tree. After an error from a method that changes it, it is not
// usable any more.
type Tree struct{ tree indigo.Tree }

// New is the empty tree.
func New() *Tree { return &Tree{indigo.NewEmptyTree()} }

// Insert puts cid at path. Prev is what was there, nil when nothing was. In a
// partial tree it fails with ErrPartial when the nodes for it are missing.
func (t *Tree) Insert(path string, binary []byte) (prev []byte, err error) {
	c, err := cid.Cast(binary)
	if err != nil {
		return nil, fmt.Errorf("insert into tree: %w", err)
	}
	old, err := t.tree.Insert([]byte(path), c)
	return result(old, err, "insert into tree")
}

// Remove takes path out. Prev is what was there, nil when nothing was. It
// fails as Insert does.
func (t *Tree) Remove(path string) (prev []byte, err error) {
	old, err := t.tree.Remove([]byte(path))
	if err == nil && t.tree.Root.IsEmpty() && !t.tree.Root.Stub {
		// Indigo leaves an empty root at its old height, and would put
		// lower records under a root without any of its own.
		t.tree = indigo.NewEmptyTree()
	}
	return result(old, err, "remove from tree")
}

// Get is the CID at path, nil when there is none. It fails as Insert does.
func (t *Tree) Get(path string) ([]byte, error) {
	c, err := t.tree.Get([]byte(path))
	return result(c, err, "look up in tree")
}

func result(c *cid.Cid, err error, verb string) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", verb, err)
	}
	if c == nil {
		return nil, nil
	}
	return c.Bytes(), nil
}

// Root is the CID of the tree. Afterwards Proof begins from here.
func (t *Tree) Root() ([]byte, error) {
	top := t.tree.Root
	if top.CID != nil && (top.Stub || !top.Dirty) {
		return top.CID.Bytes(), nil
	}
	root, _, err := t.Proof()
	return root, err
}

// Proof is the root and the nodes that changed since the last Root or Proof,
// with those next to them that a reader needs to undo the changes (V5). The
// root's node is always there and comes last, children come first. Afterwards
// Proof begins from here.
func (t *Tree) Proof() (root []byte, nodes []blocks.Block, err error) {
	top := t.tree.Root
	if top.Stub {
		return nil, nil, fmt.Errorf("prove tree: %w", ErrPartial)
	}
	top.Dirty = true
	var p proof
	if err := p.add(top); err != nil {
		return nil, nil, fmt.Errorf("prove tree: %w", err)
	}
	return top.CID.Bytes(), p.nodes, nil
}

// Walk calls f for each path in order that the tree holds in memory, until f
// returns false.
func (t *Tree) Walk(f func(path string, cid []byte) bool) {
	walk(t.tree.Root, f)
}

func walk(n *indigo.Node, f func(string, []byte) bool) bool {
	for _, e := range n.Entries {
		if e.IsValue() && !f(string(e.Key), e.Value.Bytes()) {
			return false
		}
		if e.Child != nil && !walk(e.Child, f) {
			return false
		}
	}
	return true
}

// Nodes is how many nodes the tree holds in memory.
func (t *Tree) Nodes() int { return count(t.tree.Root) }

func count(n *indigo.Node) int {
	total := 1
	for _, e := range n.Entries {
		if e.Child != nil {
			total += count(e.Child)
		}
	}
	return total
}

// Copy is the same tree, to be changed on its own. Paths and CIDs are shared.
func (t *Tree) Copy() *Tree { return &Tree{t.tree.Copy()} }

// Thin forgets nodes, keeping what Insert and Remove of the given paths need,
// and of any other path that sorts into the same gap between two records that
// are there now. The root stays the same. It is how a large repository is
// kept in little memory when only its growing edges matter.
func (t *Tree) Thin(paths ...string) error {
	// Nodes can be forgotten only while their CIDs are known.
	if _, err := t.Root(); err != nil {
		return err
	}
	gaps := make([]gap, len(paths))
	for i, path := range paths {
		gaps[i].path = []byte(path)
	}
	bound(t.tree.Root, gaps)
	thin(t.tree.Root, gaps)
	return nil
}

// gap is the place of a path: the nearest paths in the tree below and above
// it, nil at the ends.
type gap struct{ path, below, above []byte }

// bound fills in below and above, seeing the tree's paths in order.
func bound(n *indigo.Node, gaps []gap) {
	for _, e := range n.Entries {
		if e.Child != nil {
			bound(e.Child, gaps)
		}
		if !e.IsValue() {
			continue
		}
		for i := range gaps {
			g := &gaps[i]
			switch order := bytes.Compare(e.Key, g.path); {
			case order < 0:
				g.below = e.Key
			case order > 0 && g.above == nil:
				g.above = e.Key
			}
		}
	}
}

func thin(n *indigo.Node, gaps []gap) {
	for i := range n.Entries {
		e := &n.Entries[i]
		if e.Child == nil {
			continue
		}
		low, high := edge(e.Child, 0), edge(e.Child, -1)
		if slices.ContainsFunc(gaps, func(g gap) bool { return g.touches(low, high) }) {
			thin(e.Child, gaps)
		} else {
			e.Child = nil
		}
	}
}

// touches reports whether a subtree from low to high borders on the gap.
func (g gap) touches(low, high []byte) bool {
	borders := func(key []byte) bool {
		return key != nil && bytes.Compare(low, key) <= 0 && bytes.Compare(key, high) <= 0
	}
	return borders(g.below) || borders(g.above) || borders(g.path)
}

// edge is the lowest (0) or highest (-1) path under n. Partial subtrees at the
// edge have none, and are nobody's neighbours.
func edge(n *indigo.Node, side int) []byte {
	for len(n.Entries) > 0 {
		i := 0
		if side < 0 {
			i = len(n.Entries) - 1
		}
		e := n.Entries[i]
		if e.IsValue() {
			return e.Key
		}
		if n = e.Child; n == nil {
			return nil
		}
	}
	return nil
}
