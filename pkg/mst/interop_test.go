package mst

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"

	indigo "github.com/bluesky-social/indigo/atproto/repo/mst"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

func fixtures[T any](t *testing.T, name string) (list []T) {
	data := must[[]byte](t)(os.ReadFile(thirdparty.Path(t, name)))
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestV6KeyHeights(t *testing.T) {
	type vector struct {
		Key    string
		Height int
	}
	for _, v := range fixtures[vector](t, "interop/mst/key_heights.json") {
		if got := indigo.HeightForKey([]byte(v.Key)); got != v.Height {
			t.Errorf("%q is of height %d, want %d", v.Key, got, v.Height)
		}
	}
}

func TestV5PublishedProofs(t *testing.T) {
	type vector struct {
		Comment, LeafValue                string
		Keys, Adds, Dels, BlocksInProof   []string
		RootBeforeCommit, RootAfterCommit string
	}
	for _, v := range fixtures[vector](t, "interop/firehose/commit-proof-fixtures.json") {
		t.Run(v.Comment, func(t *testing.T) {
			leaf := must[[]byte](t)(syntax.ParseCID(v.LeafValue))
			tree := New()
			for _, key := range v.Keys {
				must[[]byte](t)(tree.Insert(key, leaf))
			}
			before := must[[]byte](t)(tree.Root())
			var ops []Op
			for _, key := range v.Adds {
				must[[]byte](t)(tree.Insert(key, leaf))
				ops = append(ops, Op{Action: event.Create, Path: key, CID: leaf})
			}
			for _, key := range v.Dels {
				must[[]byte](t)(tree.Remove(key))
				ops = append(ops, Op{Action: event.Delete, Path: key, Prev: leaf})
			}
			root, nodes, err := tree.Proof()
			if err != nil {
				t.Fatal(err)
			}
			if got := syntax.CIDText(before); got != v.RootBeforeCommit {
				t.Errorf("before: %s", got)
			}
			if got := syntax.CIDText(root); got != v.RootAfterCommit {
				t.Errorf("after: %s", got)
			}
			published := store{}
			for _, text := range v.BlocksInProof {
				i := slices.IndexFunc(nodes, func(b blocks.Block) bool { return syntax.CIDText(b.CID) == text })
				if i < 0 {
					t.Fatalf("the proof lacks %s", text)
				}
				published[string(nodes[i].CID)] = nodes[i].Data
			}
			if err := Verify(root, published.get, ops, before); err != nil {
				t.Errorf("the published blocks alone: %v", err)
			}
		})
	}
}

// diffCase is one line of cases.jsonl.
type diffCase struct {
	Name   string
	Inputs struct {
		A string `json:"mst_a"`
		B string `json:"mst_b"`
	}
	Results struct {
		RecordOps []struct {
			Path string  `json:"rpath"`
			Old  *string `json:"old_value"`
			New  *string `json:"new_value"`
		} `json:"record_ops"`
		ProofNodes []string `json:"inductive_proof_nodes"`
	}
}

func (c *diffCase) ops(t *testing.T) (ops []Op) {
	for _, r := range c.Results.RecordOps {
		op := Op{Action: event.Update, Path: r.Path, CID: optional(t, r.New), Prev: optional(t, r.Old)}
		if op.Prev == nil {
			op.Action = event.Create
		} else if op.CID == nil {
			op.Action = event.Delete
		}
		ops = append(ops, op)
	}
	return ops
}

func optional(t *testing.T, text *string) []byte {
	if text == nil {
		return nil
	}
	return must[[]byte](t)(syntax.ParseCID(*text))
}

func TestV5PublishedDiffs(t *testing.T) {
	file := must[*os.File](t)(os.Open(thirdparty.Path(t, "mst-diff/cases.jsonl")))
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		var c diffCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		checkDiff(t, &c)
		n++
	}
	if n == 0 {
		t.Fatal("no cases")
	}
}

func checkDiff(t *testing.T, c *diffCase) {
	a := must[*blocks.Archive](t)(blocks.Read(must[[]byte](t)(os.ReadFile(thirdparty.Path(t, "mst-diff/"+c.Inputs.A)))))
	b := must[*blocks.Archive](t)(blocks.Read(must[[]byte](t)(os.ReadFile(thirdparty.Path(t, "mst-diff/"+c.Inputs.B)))))
	tree := must[*Tree](t)(Load(a.Roots[0], a.Get))
	ops := c.ops(t)
	for _, op := range ops {
		var err error
		if op.Action == event.Delete {
			_, err = tree.Remove(op.Path)
		} else {
			_, err = tree.Insert(op.Path, op.CID)
		}
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
	}
	root, nodes, err := tree.Proof()
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	if !slices.Equal(root, b.Roots[0]) {
		t.Errorf("%s: the ops lead to another root", c.Name)
	}
	if err := Verify(root, storeOf(nodes).get, ops, a.Roots[0]); err != nil {
		t.Errorf("%s: own proof: %v", c.Name, err)
	}
	published := store{}
	for _, text := range c.Results.ProofNodes {
		cid := must[[]byte](t)(syntax.ParseCID(text))
		if data := b.Get(cid); data != nil {
			published[string(cid)] = data
		}
	}
	if err := Verify(root, published.get, ops, a.Roots[0]); err != nil {
		t.Errorf("%s: published proof: %v", c.Name, err)
	}
}
