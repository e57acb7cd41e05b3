package verify

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/identity"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

func signatures(t testing.TB, documents string) func(string, []byte, []byte) (bool, error) {
	t.Helper()
	keys, err := identity.Read(strings.NewReader(documents))
	if err != nil {
		t.Fatal(err)
	}
	return keys.Verify
}

// framesListed runs a check over frames and returns "rule seq where".
func framesListed(t testing.TB, frames [][]byte, cfg Config) (found []string, sum Summary) {
	t.Helper()
	cfg.Report = func(f Finding) { found = append(found, fmt.Sprintf("%s %d %s", f.Rule, f.Seq, f.Where)) }
	f := NewFrames(cfg)
	for i, data := range frames {
		if err := f.Frame(context.Background(), int64(i+1), data); err != nil {
			t.Fatal(err)
		}
	}
	sum = f.Close()
	return found, sum
}

func TestRealFramesAreClean(t *testing.T) {
	frames := thirdparty.Frames(t)
	found, sum := framesListed(t, frames, Config{Strict: true, Signature: signatures(t, string(thirdparty.Read(t, "firehose", "did_docs.json.zst")))})
	if len(found) > 0 {
		t.Errorf("found %q", found)
	}
	if sum.Items != 150 || sum.Checked != 150 || sum.Trees+sum.Legacy != 148 || sum.Signatures != 148 || sum.Unkeyed != 0 {
		t.Errorf("covered %+v", sum)
	}
	if sum.Trees < 140 {
		t.Errorf("only %d trees were undone", sum.Trees)
	}
}

func TestSimulatedFramesAreClean(t *testing.T) {
	frames, keys := simFrames(t, 3000)
	found, sum := framesListed(t, frames, Config{Signature: signatures(t, keys)})
	if len(found) != 1 || !strings.HasPrefix(found[0], string(SeqGap)) || sum.Errors > 0 {
		t.Errorf("found %q", found)
	}
	commits := sum.Kinds[event.KindCommit]
	if commits < 2000 || sum.Trees != commits || sum.Signatures != commits+sum.Kinds[event.KindSync] {
		t.Errorf("covered %+v", sum)
	}
}

// sample is one commit of the simulator with a create, taken apart.
type sample struct {
	ev      event.Event
	archive *blocks.Archive
}

// take finds a commit that pleases.
func take(t *testing.T, frames [][]byte, pleases func(*event.Event) bool) *sample {
	t.Helper()
	for _, data := range frames {
		var d frame.Decoder
		s := &sample{}
		if err := d.Decode(data, &s.ev); err != nil {
			t.Fatal(err)
		}
		if !pleases(&s.ev) {
			continue
		}
		var err error
		car := s.ev.Commit.Blocks
		if s.ev.Kind == event.KindSync {
			car = s.ev.Sync.Blocks
		}
		if s.archive, err = blocks.Read(car); err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Fatal("no such frame")
	return nil
}

// at is the index of a block.
func (s *sample) at(cid []byte) int {
	return slices.IndexFunc(s.archive.Blocks, func(b blocks.Block) bool { return bytes.Equal(b.CID, cid) })
}

func (s *sample) root() []byte { return s.archive.Roots[0] }

// sign replaces the commit block by a changed one, whose signature is then
// wrong, under its true CID.
func (s *sample) change(t *testing.T, change func(map[string]any)) {
	t.Helper()
	i := s.at(s.root())
	var fields map[string]any
	if err := dagcbor.Unmarshal(s.archive.Blocks[i].Data, &fields); err != nil {
		t.Fatal(err)
	}
	change(fields)
	data, err := dagcbor.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	cid := syntax.SumCID(syntax.CodecDAGCBOR, data)
	s.archive.Blocks[i] = blocks.Block{CID: cid, Data: data}
	s.archive.Roots[0], s.ev.Commit.CID = cid, cid
}

func (s *sample) frame(t *testing.T) []byte {
	t.Helper()
	car := blocks.Write(s.root(), s.archive.Blocks)
	if s.ev.Kind == event.KindSync {
		s.ev.Sync.Blocks = car
	} else if s.ev.Commit.Blocks != nil {
		s.ev.Commit.Blocks = car
	}
	data, err := frame.Append(nil, &s.ev)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// E2, V5: a commit without ops is legal and sends no node of its tree. Its tree is
// the one before it: that is proven where prevData says the same, and where it
// says another an op was left out.
func TestCommitsWithoutOps(t *testing.T) {
	frames, keys := simFrames(t, 300)
	for name, v := range map[string]struct {
		prevData func(data []byte) []byte
		want     string
		trees    int64
		legacy   int64
	}{
		"the same tree": {func(data []byte) []byte { return data }, "", 1, 0},
		"another tree":  {func([]byte) []byte { return syntax.SumCID(syntax.CodecDAGCBOR, []byte("x")) }, "tree-inversion prevData", 0, 0},
		"unknown":       {func([]byte) []byte { return nil }, "", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := take(t, frames, func(ev *event.Event) bool { return ev.Kind == event.KindCommit && len(ev.Commit.Ops) == 1 })
			var block signed
			if err := dagcbor.Unmarshal(s.archive.Blocks[s.at(s.root())].Data, &block); err != nil {
				t.Fatal(err)
			}
			s.archive.Blocks = []blocks.Block{s.archive.Blocks[s.at(s.root())]} // and nothing else
			s.ev.Commit.Ops, s.ev.Commit.PrevData = nil, v.prevData(block.Data)
			found, sum := framesListed(t, [][]byte{s.frame(t)}, Config{Strict: true, Signature: signatures(t, keys)})
			want := ""
			if v.want != "" {
				rule, where, _ := strings.Cut(v.want, " ")
				want = fmt.Sprintf("%s %d %s", rule, s.ev.Seq, where)
			}
			if got := strings.Join(found, "|"); got != want || sum.Trees != v.trees || sum.Legacy != v.legacy || sum.Signatures != 1 {
				t.Errorf("found %q, want %q; %+v", got, want, sum)
			}
		})
	}
}

// Each fault of a frame yields the finding that names it, and nothing else.
func TestPlantedFaultsInFrames(t *testing.T) {
	frames, keys := simFrames(t, 3000)
	single := func(ev *event.Event) bool {
		return ev.Kind == event.KindCommit && len(ev.Commit.Ops) == 1 && ev.Commit.Ops[0].Action == event.Create
	}
	deleting := func(ev *event.Event) bool {
		return ev.Kind == event.KindCommit && slices.ContainsFunc(ev.Commit.Ops, func(op event.Op) bool { return op.Action == event.Delete })
	}
	syncing := func(ev *event.Event) bool { return ev.Kind == event.KindSync }
	other := syntax.SumCID(syntax.CodecDAGCBOR, []byte("other"))
	damage := func(s *sample, cid []byte) {
		b := &s.archive.Blocks[s.at(cid)]
		b.Data = append(slices.Clone(b.Data[:len(b.Data)-1]), b.Data[len(b.Data)-1]^1)
	}
	for name, v := range map[string]struct {
		pleases func(*event.Event) bool
		plant   func(*testing.T, *sample)
		want    string // rule and where
		cfg     Config
	}{
		"nothing":   {single, func(*testing.T, *sample) {}, "", Config{}},
		"B3/record": {single, func(_ *testing.T, s *sample) { damage(s, s.ev.Commit.Ops[0].CID) }, "block-hash ops[0]", Config{}},
		"B3/commit": {single, func(_ *testing.T, s *sample) { damage(s, s.root()) }, "block-hash blocks", Config{}},
		"B3/sync":   {syncing, func(_ *testing.T, s *sample) { damage(s, s.root()) }, "block-hash blocks[0]", Config{}},
		"B4":        {single, func(_ *testing.T, s *sample) { s.ev.Commit.Blocks = nil }, "op-skipped ops[0]|car-invalid blocks", Config{}},
		"B5": {single, func(_ *testing.T, s *sample) {
			i := s.at(s.ev.Commit.Ops[0].CID)
			s.archive.Blocks = slices.Delete(s.archive.Blocks, i, i+1)
		}, "op-skipped ops[0]", Config{}},
		"V1/missing": {single, func(_ *testing.T, s *sample) {
			i := s.at(s.root())
			s.archive.Blocks = slices.Delete(s.archive.Blocks, i, i+1)
		}, "commit-block commit", Config{}},
		"V1/link":    {single, func(_ *testing.T, s *sample) { s.ev.Commit.CID = nil }, "car-root |commit-block commit", Config{}},
		"V1/version": {single, func(t *testing.T, s *sample) { s.change(t, func(m map[string]any) { m["version"] = 2 }) }, "commit-block commit", Config{}},
		"V1/did":     {single, func(t *testing.T, s *sample) { s.change(t, func(m map[string]any) { m["did"] = did }) }, "commit-block commit", Config{}},
		"V1/rev":     {single, func(t *testing.T, s *sample) { s.ev.Commit.Rev = []byte("3kaaaaaaaaa2b") }, "commit-block commit", Config{}},
		"V1/prev":    {single, func(t *testing.T, s *sample) { s.change(t, func(m map[string]any) { delete(m, "prev") }) }, "commit-block commit", Config{}},
		"V1/sig":     {single, func(t *testing.T, s *sample) { s.change(t, func(m map[string]any) { delete(m, "sig") }) }, "commit-block commit", Config{}},
		"V1/data":    {single, func(t *testing.T, s *sample) { s.change(t, func(m map[string]any) { delete(m, "data") }) }, "commit-block commit", Config{}},
		"V2/syntax": {single, func(t *testing.T, s *sample) {
			s.change(t, func(m map[string]any) { m["rev"] = "z" })
			s.ev.Commit.Rev = []byte("z")
		}, "rev-syntax rev", Config{}},
		"V2/future":      {single, func(*testing.T, *sample) {}, "rev-future rev", Config{Now: func() time.Time { return time.Unix(0, 0) }}},
		"V4/prev":        {single, func(_ *testing.T, s *sample) { s.ev.Commit.Ops[0].Prev = other }, "tree-op ops", Config{}},
		"V4/path":        {single, func(_ *testing.T, s *sample) { s.ev.Commit.Ops[0].Path = []byte("a b/c") }, "op-path-strict ops[0].path|tree-partial blocks", Config{}},
		"V5/inversion":   {single, func(_ *testing.T, s *sample) { s.ev.Commit.PrevData = other }, "tree-inversion prevData", Config{}},
		"V5/op left out": {single, func(_ *testing.T, s *sample) { s.ev.Commit.Ops = nil }, "tree-inversion prevData", Config{}},
		"V5/prev": {deleting, func(_ *testing.T, s *sample) {
			s.ev.Commit.Ops[slices.IndexFunc(s.ev.Commit.Ops, func(op event.Op) bool { return op.Action == event.Delete })].Prev = other
		}, "tree-inversion prevData", Config{}},
		"V5/legacy": {single, func(_ *testing.T, s *sample) { s.ev.Commit.PrevData = nil }, "", Config{}},
		"V6/missing": {single, func(t *testing.T, s *sample) {
			var c signed
			if err := dagcbor.Unmarshal(s.archive.Blocks[s.at(s.root())].Data, &c); err != nil {
				t.Fatal(err)
			}
			i := s.at(c.Data)
			s.archive.Blocks = slices.Delete(s.archive.Blocks, i, i+1)
		}, "tree-partial blocks", Config{}},
		"V6/invalid": {single, func(t *testing.T, s *sample) {
			node, err := dagcbor.Marshal(map[string]any{"l": nil, "e": []any{
				map[string]any{"p": 0, "k": []byte("b"), "v": dagcbor.Link(other), "t": nil},
				map[string]any{"p": 0, "k": []byte("a"), "v": dagcbor.Link(other), "t": nil},
			}})
			if err != nil {
				t.Fatal(err)
			}
			root := syntax.SumCID(syntax.CodecDAGCBOR, node)
			s.archive.Blocks = append(s.archive.Blocks, blocks.Block{CID: root, Data: node})
			s.change(t, func(m map[string]any) { m["data"] = dagcbor.Link(root) })
		}, "tree-invalid blocks|signature commit.sig", Config{}},
		"V7":      {single, func(t *testing.T, s *sample) { s.change(t, func(m map[string]any) { m["sig"] = make([]byte, 64) }) }, "signature commit.sig", Config{}},
		"V7/sync": {syncing, func(t *testing.T, s *sample) { s.change(t, func(m map[string]any) { m["sig"] = make([]byte, 64) }) }, "signature commit.sig", Config{}},
		"D1/record": {single, func(t *testing.T, s *sample) {
			s.ev.Commit.Ops[0].CID = s.root() // decodable, but not a record
		}, "op-skipped ops[0]|tree-op ops", Config{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := take(t, frames, v.pleases)
			v.plant(t, s)
			v.cfg.Signature = signatures(t, keys)
			found, _ := framesListed(t, [][]byte{s.frame(t)}, v.cfg)
			for i, f := range found {
				rule, rest, _ := strings.Cut(f, " ")
				_, where, _ := strings.Cut(rest, " ")
				found[i] = rule + " " + where
			}
			got := strings.Join(found, "|")
			if got != v.want && (!strings.HasPrefix(got, v.want+"[") || strings.Contains(got, "|")) {
				t.Errorf("found %q, want %q", got, v.want)
			}
		})
	}
}

func TestFramesThatCannotBeRead(t *testing.T) {
	frames, _ := simFrames(t, 5)
	for want, data := range map[string][]byte{
		"frame-unreadable 0 ": {0xff}, "frame-invalid 0 ": []byte("\xa2at\x65#syncbop\x01\xa0"),
		"did-syntax 3 ": []byte("\xa2at\x65#syncbop\x01\xa2\x63seq\x03\x63did\x61x"),
	} {
		if found, sum := framesListed(t, [][]byte{data}, Config{}); strings.Join(found, "|") != want || sum.Errors != 1 {
			t.Errorf("found %q, want %q", found, want)
		}
	}
	found, _ := framesListed(t, [][]byte{frames[0], frames[1], frames[1], frames[2]}, Config{})
	if len(found) < 1 || !strings.HasPrefix(found[0], "seq-duplicate") {
		t.Errorf("repeated frame: %q", found)
	}
}

// The order of a repository's events (V2, V3).
func TestRepositoriesContinue(t *testing.T) {
	frames, keys := simFrames(t, 3000)
	var d frame.Decoder
	var ev event.Event
	byRepo := map[string][]int{}
	var longest []int
	for i, data := range frames {
		if err := d.Decode(data, &ev); err != nil {
			t.Fatal(err)
		}
		if ev.Kind == event.KindCommit {
			repo := string(ev.DID)
			byRepo[repo] = append(byRepo[repo], i)
			if len(byRepo[repo]) > len(longest) {
				longest = byRepo[repo]
			}
		}
	}
	a, b, c := frames[longest[0]], frames[longest[1]], frames[longest[2]]
	run := func(list ...[]byte) string {
		found, _ := framesListed(t, list, Config{Signature: signatures(t, keys)})
		found = slices.DeleteFunc(found, func(f string) bool { return strings.HasPrefix(f, "seq-") })
		for i, f := range found {
			found[i], _, _ = strings.Cut(f, " ")
		}
		return strings.Join(found, "|")
	}
	if got := run(a, b, c); got != "" {
		t.Errorf("in order: %q", got)
	}
	if got := run(a, c); got != string(RepoBreak) {
		t.Errorf("one left out: %q", got)
	}
	if got := run(a, c, b); got != string(RepoBreak)+"|"+string(RevOrder) {
		t.Errorf("swapped: %q", got)
	}
}
