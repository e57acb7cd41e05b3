package mst

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// store is the nodes a reader was sent.
type store map[string][]byte

func (s store) get(cid []byte) []byte { return s[string(cid)] }

func storeOf(nodes []blocks.Block) store {
	s := store{}
	for _, b := range nodes {
		s[string(b.CID)] = b.Data
	}
	return s
}

// value is a CID like a record's.
func value(n uint64) []byte {
	return syntax.SumCID(syntax.CodecDAGCBOR, binary.BigEndian.AppendUint64(nil, n))
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// sample is a tree of n records of five collections, and what it holds.
func sample(t testing.TB, random *rand.Rand, n int) (*Tree, map[string][]byte) {
	tree, held := New(), map[string][]byte{}
	for range n {
		path := fmt.Sprintf("app.test.c%d/%013d", random.IntN(5), random.IntN(1000_000))
		held[path] = value(random.Uint64())
		must[[]byte](t)(tree.Insert(path, held[path]))
	}
	return tree, held
}

// change makes up to max ops on the tree and on what it holds.
func change(t testing.TB, random *rand.Rand, tree *Tree, held map[string][]byte, max int) (ops []Op) {
	t.Helper()
	paths := slices.Sorted(maps.Keys(held))
	used := map[string]bool{}
	for range 1 + random.IntN(max) {
		op := Op{Action: event.Create, Path: fmt.Sprintf("app.test.c%d/%013d", random.IntN(5), random.IntN(1000_000))}
		if len(paths) > 0 && random.IntN(2) == 0 {
			op.Path = paths[random.IntN(len(paths))]
			op.Action = event.Update + event.Action(random.IntN(2))
		} else if held[op.Path] != nil {
			continue
		}
		if used[op.Path] {
			continue
		}
		used[op.Path] = true
		var err error
		if op.Action == event.Delete {
			op.Prev, err = tree.Remove(op.Path)
			delete(held, op.Path)
		} else {
			op.CID = value(random.Uint64())
			op.Prev, err = tree.Insert(op.Path, op.CID)
			held[op.Path] = op.CID
		}
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	return ops
}

func TestTreeHoldsWhatWasInserted(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	tree, held := sample(t, random, 300)
	change(t, random, tree, held, 200)
	got := map[string][]byte{}
	tree.Walk(func(path string, cid []byte) bool { got[path] = cid; return true })
	if !maps.EqualFunc(got, held, slices.Equal) {
		t.Fatalf("holds %d records, want %d", len(got), len(held))
	}
	rebuilt := New()
	for path, cid := range held {
		must[[]byte](t)(rebuilt.Insert(path, cid))
	}
	if a, b := must[[]byte](t)(tree.Root()), must[[]byte](t)(rebuilt.Root()); !slices.Equal(a, b) {
		t.Fatal("the root depends on history")
	}
	if cid := must[[]byte](t)(tree.Get("app.test.c0/none")); cid != nil {
		t.Fatalf("found %x", cid)
	}
}

func TestV5ProofsUndoTheirOps(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 2))
		tree, held := sample(t, random, random.IntN(400))
		for range 10 {
			prev := must[[]byte](t)(tree.Root())
			ops := change(t, random, tree, held, 1+random.IntN(30))
			root, nodes, err := tree.Proof()
			if err != nil {
				t.Fatal(err)
			}
			if err := Verify(root, storeOf(nodes).get, ops, prev); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

func TestThinTreesGrowLikeWholeOnes(t *testing.T) {
	for seed := range uint64(15) {
		random := rand.New(rand.NewPCG(seed, 3))
		whole, _ := sample(t, random, 500)
		thinned := whole.Copy()
		gaps := []string{"app.test.c1/~", "app.test.c3/~", "zzz/a"}
		if err := thinned.Thin(gaps...); err != nil {
			t.Fatal(err)
		}
		if thinned.Nodes() >= whole.Nodes()/2 {
			t.Fatalf("kept %d of %d nodes", thinned.Nodes(), whole.Nodes())
		}
		var live []string
		for range 100 {
			prev := must[[]byte](t)(thinned.Root())
			op := Op{Action: event.Create, Path: fmt.Sprintf("%s%d", gaps[random.IntN(3)], random.Uint64()), CID: value(random.Uint64())}
			if len(live) > 0 && random.IntN(3) == 0 {
				i := random.IntN(len(live))
				op = Op{Action: event.Delete, Path: live[i]}
				live = slices.Delete(live, i, i+1)
				op.Prev = must[[]byte](t)(thinned.Remove(op.Path))
				must[[]byte](t)(whole.Remove(op.Path))
			} else {
				live = append(live, op.Path)
				must[[]byte](t)(thinned.Insert(op.Path, op.CID))
				must[[]byte](t)(whole.Insert(op.Path, op.CID))
			}
			root, nodes, err := thinned.Proof()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(root, must[[]byte](t)(whole.Root())) {
				t.Fatalf("seed %d: roots differ", seed)
			}
			if err := Verify(root, storeOf(nodes).get, []Op{op}, prev); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 4))
	tree, held := sample(t, random, 300)
	paths := slices.Sorted(maps.Keys(held))
	prev := must[[]byte](t)(tree.Root())
	ops := []Op{
		{Action: event.Create, Path: "app.test.c2/new", CID: value(1)},
		{Action: event.Update, Path: paths[70], CID: value(2), Prev: held[paths[70]]},
		{Action: event.Delete, Path: paths[90], Prev: held[paths[90]]},
	}
	must[[]byte](t)(tree.Insert(ops[0].Path, ops[0].CID))
	must[[]byte](t)(tree.Insert(ops[1].Path, ops[1].CID))
	must[[]byte](t)(tree.Remove(ops[2].Path))
	root, nodes, err := tree.Proof()
	if err != nil {
		t.Fatal(err)
	}
	sent := storeOf(nodes)
	with := func(i int, change func(*Op)) []Op {
		changed := slices.Clone(ops)
		change(&changed[i])
		return changed
	}
	for name, c := range map[string]struct {
		ops  []Op
		prev []byte
		want error
	}{
		"sound":                      {ops, prev, nil},
		"V5/other prevData":          {ops, value(9), ErrInversion},
		"V5/an op is missing":        {ops[1:], prev, ErrInversion},
		"V5/other prev":              {with(1, func(o *Op) { o.Prev = value(9) }), prev, ErrInversion},
		"V5/no prevData":             {ops, nil, ErrLegacy},
		"V5/update without prev":     {with(1, func(o *Op) { o.Prev = nil }), prev, ErrLegacy},
		"V5/delete without prev":     {with(2, func(o *Op) { o.Prev = nil }), prev, ErrLegacy},
		"V4/other cid":               {with(0, func(o *Op) { o.CID = value(9) }), prev, ErrOp},
		"V4/delete of what is there": {with(1, func(o *Op) { o.Action, o.CID = event.Delete, nil }), prev, ErrOp},
		"V4/create with prev":        {with(0, func(o *Op) { o.Prev = value(9) }), prev, ErrOp},
		"V4/delete with cid":         {with(2, func(o *Op) { o.CID = value(9) }), prev, ErrOp},
		"V4/twice":                   {append(slices.Clone(ops), ops[0]), prev, ErrOp},
		"V4/legacy and wrong":        {with(0, func(o *Op) { o.CID = value(9) }), nil, ErrOp},
		"V4/outside what was sent":   {with(2, func(o *Op) { o.Path = paths[len(paths)-2] }), prev, ErrPartial},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Verify(root, sent.get, c.ops, c.prev); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
	t.Run("V5/root not sent", func(t *testing.T) {
		if err := Verify(value(7), sent.get, ops, prev); !errors.Is(err, ErrPartial) {
			t.Fatal(err)
		}
	})
}

// Whatever is missing from a proof, the answer is an error and not a panic.
func TestVerifyBearsMissingNodes(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 5))
		tree, held := sample(t, random, 1+random.IntN(300))
		prev := must[[]byte](t)(tree.Root())
		ops := change(t, random, tree, held, 10)
		root, nodes, err := tree.Proof()
		if err != nil {
			t.Fatal(err)
		}
		for drop := range nodes {
			sent := storeOf(slices.Delete(slices.Clone(nodes), drop, drop+1))
			if err := Verify(root, sent.get, ops, prev); err != nil && !errors.Is(err, ErrPartial) {
				t.Fatalf("seed %d without node %d: %v", seed, drop, err)
			}
		}
		// Ops that were never made.
		other, otherHeld := sample(t, random, 50)
		wrong := change(t, random, other, otherHeld, 10)
		_ = Verify(root, storeOf(nodes).get, wrong, prev)
	}
}

// put stores v as a node and returns its CID.
func (s store) put(t *testing.T, v any) []byte {
	t.Helper()
	data := must[[]byte](t)(dagcbor.Marshal(v))
	cid := syntax.SumCID(syntax.CodecDAGCBOR, data)
	s[string(cid)] = data
	return cid
}

type obj = map[string]any

func item(prefix int, suffix string, right []byte) obj {
	return obj{"p": prefix, "k": []byte(suffix), "v": dagcbor.Link(value(1)), "t": dagcbor.Link(right)}
}

func TestV6LoadRefusesWhatIsNoTree(t *testing.T) {
	s := store{}
	// "blue" is of height 1, "asdf" of height 0, as published vectors say.
	low := s.put(t, obj{"l": nil, "e": []any{item(0, "asdf", nil)}})
	empty := s.put(t, obj{"l": nil, "e": []any{}})
	tall := s.put(t, obj{"l": nil, "e": []any{item(0, "blue", nil)}})
	for name, c := range map[string]struct {
		node obj
		ok   bool
	}{
		"sound":                     {obj{"l": dagcbor.Link(low), "e": []any{item(0, "blue", nil)}}, true},
		"empty root":                {obj{"l": nil, "e": []any{}}, true},
		"root of a link only":       {obj{"l": dagcbor.Link(low), "e": []any{}}, false},
		"empty subtree":             {obj{"l": dagcbor.Link(empty), "e": []any{item(0, "blue", nil)}}, false},
		"subtree of the same layer": {obj{"l": dagcbor.Link(tall), "e": []any{item(0, "blue", nil)}}, false},
		"subtree below layer 0":     {obj{"l": dagcbor.Link(low), "e": []any{item(0, "asdf", nil)}}, false},
		"mixed layers":              {obj{"l": nil, "e": []any{item(0, "asdf", nil), item(0, "blue", nil)}}, false},
		"out of order":              {obj{"l": nil, "e": []any{item(0, "blue", low)}}, false},
		"same subtree twice":        {obj{"l": dagcbor.Link(low), "e": []any{item(0, "blue", low)}}, false},
		"same key twice":            {obj{"l": nil, "e": []any{item(0, "blue", nil), item(4, "", nil)}}, false},
		"prefix on the first":       {obj{"l": nil, "e": []any{item(1, "blue", nil)}}, false},
		"prefix too long":           {obj{"l": nil, "e": []any{item(0, "blue", nil), item(9, "x", nil)}}, false},
		"prefix negative":           {obj{"l": nil, "e": []any{item(-1, "blue", nil)}}, false},
		"prefix too short":          {obj{"l": nil, "e": []any{item(0, "asdf", nil), item(0, "asdf2", nil)}}, false},
		"key empty":                 {obj{"l": nil, "e": []any{item(0, "", nil)}}, false},
		"key too long":              {obj{"l": nil, "e": []any{item(0, string(make([]byte, 1025)), nil)}}, false},
		"value missing":             {obj{"l": nil, "e": []any{obj{"p": 0, "k": []byte("asdf"), "v": nil, "t": nil}}}, false},
		"text for a key":            {obj{"l": nil, "e": []any{obj{"p": 0, "k": "asdf", "v": dagcbor.Link(value(1)), "t": nil}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(s.put(t, c.node), s.get)
			if c.ok != (err == nil) || err != nil && !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v", err)
			}
		})
	}
	t.Run("not CBOR", func(t *testing.T) {
		bad := store{string(value(5)): []byte("junk")}
		if _, err := Load(value(5), bad.get); !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	})
}

// FuzzVerify gives Load and Verify foreign nodes: a sound proof with one node
// replaced under its old CID, as if hashes had not been checked.
func FuzzVerify(f *testing.F) {
	random := rand.New(rand.NewPCG(6, 6))
	tree, held := sample(f, random, 100)
	prev, err := tree.Root()
	if err != nil {
		f.Fatal(err)
	}
	ops := change(f, random, tree, held, 8)
	root, nodes, err := tree.Proof()
	if err != nil {
		f.Fatal(err)
	}
	for i, n := range nodes {
		f.Add(uint8(i), n.Data)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		sent := storeOf(nodes)
		sent[string(nodes[int(which)%len(nodes)].CID)] = data
		_ = Verify(root, sent.get, ops, prev)
	})
}

// The encoder here and indigo's must agree on every byte.
func TestProofHashesLikeIndigo(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 7))
		tree, held := sample(t, random, random.IntN(500))
		for range 5 {
			twin := tree.Copy()
			want, err := twin.tree.RootCID()
			if err != nil {
				t.Fatal(err)
			}
			root, _, err := tree.Proof()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(root, want.Bytes()) {
				t.Fatalf("seed %d: roots differ", seed)
			}
			change(t, random, tree, held, 30)
		}
	}
}
