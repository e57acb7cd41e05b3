package mst

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/fhctl/fhctl/pkg/event"
)

// Op is one change of a commit, as far as trees go.
type Op struct {
	Action event.Action
	Path   string
	CID    []byte // nil on delete
	Prev   []byte // nil on create; nil elsewhere is legacy (V5)
}

// Errors of Verify, besides ErrPartial and ErrInvalid.
var (
	// ErrOp: an op says other than the tree does (V4).
	ErrOp = errors.New("op does not match the tree")
	// ErrInversion: undoing the ops does not lead to prevData (V5).
	ErrInversion = errors.New("ops do not lead from prevData to data")
	// ErrLegacy: prevData, or an op's prev, is absent. The ops match the
	// tree, but nothing proves that they are all (V5). Not a fault.
	ErrLegacy = errors.New("not enough to undo the ops")
)

// Verify checks a commit's ops against the partial tree under data, and that
// undoing them all leads to prevData (V4 to V6). Get is as for Load. Nil means
// proven; ErrLegacy means unproven but legal.
//
// A commit without ops changes no record, so that its tree is the one before: it
// sends no node, and none is needed to prove that.
func Verify(data []byte, get func(cid []byte) []byte, ops []Op, prevData []byte) error {
	if len(ops) == 0 {
		return unchanged(data, prevData)
	}
	t, err := Load(data, get)
	if err != nil {
		return err
	}
	legacy := prevData == nil
	seen := map[string]bool{}
	for _, op := range ops {
		if seen[op.Path] {
			return fmt.Errorf("%w: %s is changed twice", ErrOp, op.Path)
		}
		seen[op.Path] = true
		if err := t.holds(op); err != nil {
			return err
		}
		legacy = legacy || op.Prev == nil && op.Action != event.Create
	}
	if legacy {
		return ErrLegacy
	}
	return t.invert(ops, prevData)
}

func unchanged(data, prevData []byte) error {
	switch {
	case prevData == nil:
		return ErrLegacy
	case !bytes.Equal(data, prevData):
		return fmt.Errorf("%w: there are none, and data is another", ErrInversion)
	}
	return nil
}

// holds checks that the tree has what the op left behind (V4).
func (t *Tree) holds(op Op) error {
	shape := op.Action == event.Create && op.CID != nil && op.Prev == nil ||
		op.Action == event.Update && op.CID != nil && !bytes.Equal(op.CID, op.Prev) ||
		op.Action == event.Delete && op.CID == nil
	if !shape {
		return fmt.Errorf("%w: %s: its cid and prev do not fit %q", ErrOp, op.Path, op.Action)
	}
	cid, err := t.Get(op.Path)
	if err != nil {
		return err
	}
	if !bytes.Equal(cid, op.CID) {
		return fmt.Errorf("%w: %s: the tree holds another record, or none", ErrOp, op.Path)
	}
	return nil
}

// orders are the ways to undo ops that are tried in turn: deletes first (-1) or
// last (1), the rest by rising (1) or falling (-1) path. The proof is the same
// in any order, but a partial tree with no node to spare allows only some.
var orders = [...]struct{ deletes, paths int }{{-1, 1}, {-1, -1}, {1, 1}, {1, -1}}

func (t *Tree) invert(ops []Op, prevData []byte) (err error) {
	for _, order := range orders {
		ordered := slices.SortedFunc(slices.Values(ops), func(a, b Op) int {
			if (a.Action == event.Delete) != (b.Action == event.Delete) {
				return order.deletes * cmp.Compare(a.Action, b.Action)
			}
			return order.paths * cmp.Compare(a.Path, b.Path)
		})
		if err = t.Copy().undoAll(ordered, prevData); !errors.Is(err, ErrPartial) {
			return err
		}
	}
	return err
}

func (t *Tree) undoAll(ordered []Op, prevData []byte) error {
	for _, op := range ordered {
		if err := t.undo(op); err != nil {
			return fmt.Errorf("undo %s of %s: %w", op.Action, op.Path, err)
		}
	}
	root, err := t.Root()
	if err != nil {
		return err
	}
	if !bytes.Equal(root, prevData) {
		return ErrInversion
	}
	return nil
}

func (t *Tree) undo(op Op) error {
	var err error
	if op.Action == event.Create {
		_, err = t.Remove(op.Path)
	} else {
		_, err = t.Insert(op.Path, op.Prev)
	}
	if err != nil && !errors.Is(err, ErrPartial) && t.tree.IsPartial() {
		// Indigo does not mark every such error.
		return fmt.Errorf("%w: %w", ErrPartial, err)
	}
	return err
}
