package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// decode reads a frame as ingest does.
func decode(t testing.TB, data []byte) *event.Event {
	t.Helper()
	var ev event.Event
	if err := new(frame.Decoder).Decode(data, &ev); err != nil {
		t.Fatal(err)
	}
	return &ev
}

// judge checks traffic with indigo, an independent implementation, and keeps
// what it needs to follow each account.
type judge struct {
	sim   *Sim
	rev   map[string]string
	data  map[string]string
	away  map[string]bool
	seen  map[string]int // of anything worth counting
	sizes []int
	last  event.Seq
}

func newJudge(s *Sim) *judge {
	return &judge{sim: s, rev: map[string]string{}, data: map[string]string{}, away: map[string]bool{}, seen: map[string]int{}}
}

func (j *judge) frame(t *testing.T, seq event.Seq, data []byte) {
	t.Helper()
	ev := decode(t, data)
	if ev.Seq != seq || ev.Flags != 0 {
		t.Fatalf("seq %d: decodes as %d, flags %v", seq, ev.Seq, ev.Flags)
	}
	if err := dagcbor.Check(data[:body(t, data)]); err != nil {
		t.Fatal(err)
	}
	if err := dagcbor.Check(data[body(t, data):]); err != nil {
		t.Fatal(err)
	}
	j.seen[ev.Kind.String()]++
	j.last = seq
	if _, err := syntax.ParseDID(string(ev.DID)); err != nil || len(ev.DID) != 32 {
		t.Fatalf("seq %d: DID %q", seq, ev.DID)
	}
	if _, err := syntax.ParseDatetime(string(ev.Time)); err != nil {
		t.Fatalf("seq %d: %v", seq, err)
	}
	switch ev.Kind {
	case event.KindCommit:
		j.sizes = append(j.sizes, len(data))
		j.commit(t, ev, data[body(t, data):])
	case event.KindSync:
		j.sync(t, ev)
	case event.KindIdentity:
		j.seen["identity "+handleClass(t, ev.Identity.Handle)]++
	case event.KindAccount:
		j.away[string(ev.DID)] = !ev.Account.Active
		j.seen[fmt.Sprintf("account %t %s", ev.Account.Active, ev.Account.Status)]++
	default:
		t.Fatalf("seq %d is a %s", seq, ev.Kind)
	}
}

// body is where the payload begins.
func body(t testing.TB, data []byte) int {
	at, _, err := dagcbor.Skip(data, 0)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func handleClass(t *testing.T, handle []byte) string {
	if handle == nil {
		return "none"
	}
	if string(handle) == "handle.invalid" {
		return "invalid"
	}
	if _, err := syntax.ParseHandle(string(handle)); err != nil || !strings.HasSuffix(string(handle), ".example") && !strings.HasSuffix(string(handle), ".test") {
		t.Fatalf("handle %q: %v", handle, err)
	}
	return "handle"
}

func (j *judge) sync(t *testing.T, ev *event.Event) {
	t.Helper()
	did := string(ev.DID)
	commit := j.signed(t, did, ev.Sync.Blocks)
	if commit.Rev != string(ev.Sync.Rev) || len(ev.Sync.Blocks) > 10_000 {
		t.Fatalf("seq %d: sync of rev %s holds rev %s", ev.Seq, ev.Sync.Rev, commit.Rev)
	}
	if known := j.rev[did]; known != "" && (known != commit.Rev || j.data[did] != commit.Data.String()) {
		t.Fatalf("V8: seq %d: sync disagrees with the last commit", ev.Seq)
	}
	j.rev[did], j.data[did] = commit.Rev, commit.Data.String()
}

// signed is the commit in a CAR, its signature verified (V1, V7).
func (j *judge) signed(t *testing.T, did string, car []byte) *repo.Commit {
	t.Helper()
	commit, _, err := repo.LoadCommitFromCAR(t.Context(), bytes.NewReader(car))
	if err != nil {
		t.Fatal(err)
	}
	text, ok := j.sim.SigningKey(did)
	if !ok {
		t.Fatalf("no key for %s", did)
	}
	key, err := atcrypto.ParsePublicMultibase(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, rare := key.(*atcrypto.PublicKeyK256); rare {
		j.seen["K-256"]++
	}
	if err := commit.VerifyStructure(); err != nil {
		t.Fatalf("V1: %v", err)
	}
	if err := commit.VerifySignature(key); err != nil {
		t.Fatalf("V7: %v", err)
	}
	return commit
}

func (j *judge) commit(t *testing.T, ev *event.Event, payload []byte) {
	t.Helper()
	var msg comatproto.SyncSubscribeRepos_Commit
	if err := msg.UnmarshalCBOR(bytes.NewReader(payload)); err != nil {
		t.Fatalf("seq %d: %v", ev.Seq, err)
	}
	commit := j.signed(t, msg.Repo, msg.Blocks)
	// V4, V5, V6: ops against the partial tree, undone down to prevData.
	if _, err := repo.VerifyCommitMessage(t.Context(), &msg); err != nil {
		t.Fatalf("seq %d: %v", ev.Seq, err)
	}
	if msg.PrevData == nil || msg.Since == nil || commit.Rev != msg.Rev || len(msg.Blocks) > 2_000_000 || len(msg.Ops) > 200 {
		t.Fatalf("seq %d: envelope", ev.Seq)
	}
	if j.away[msg.Repo] {
		t.Fatalf("V9: seq %d: an inactive account commits", ev.Seq)
	}
	if msg.Rev <= *msg.Since {
		t.Fatalf("V2: seq %d: rev %s since %s", ev.Seq, msg.Rev, *msg.Since)
	}
	if rev := j.rev[msg.Repo]; rev != "" && (rev != *msg.Since || j.data[msg.Repo] != msg.PrevData.String()) {
		t.Fatalf("V3: seq %d: does not continue %s", ev.Seq, rev)
	}
	j.rev[msg.Repo], j.data[msg.Repo] = msg.Rev, commit.Data.String()
	j.archive(t, ev, &msg)
	j.seen[fmt.Sprintf("ops %s", opsClass(len(msg.Ops)))]++
	for i := range ev.Commit.Ops {
		j.op(t, ev, &ev.Commit.Ops[i])
	}
}

func opsClass(n int) string {
	switch {
	case n < 2:
		return fmt.Sprint(n)
	case n <= 10:
		return "few"
	}
	return "many"
}

// archive checks every block of the CAR, and where the commit stands (B2).
func (j *judge) archive(t *testing.T, ev *event.Event, msg *comatproto.SyncSubscribeRepos_Commit) {
	t.Helper()
	car, err := blocks.Read(msg.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	if string(car.Roots[0]) != string(ev.Commit.CID) || string(car.Blocks[0].CID) == string(ev.Commit.CID) {
		t.Fatalf("seq %d: root or first block", ev.Seq)
	}
	for _, b := range car.Blocks {
		if err := b.Intact(); err != nil {
			t.Fatalf("B3: seq %d: %v", ev.Seq, err)
		}
		if err := dagcbor.Check(b.Data); err != nil {
			t.Fatalf("D1: seq %d: %v", ev.Seq, err)
		}
	}
}

func (j *judge) op(t *testing.T, ev *event.Event, op *event.Op) {
	t.Helper()
	j.seen[op.Action.String()+" "+string(op.Collection())]++
	j.seen[op.Action.String()]++
	if _, _, err := syntax.ParseRepoPath(string(op.Path)); err != nil {
		t.Fatalf("seq %d: %v", ev.Seq, err)
	}
	if op.Action == event.Delete {
		return
	}
	if op.Skip != event.ReasonNone {
		t.Fatalf("seq %d: %s is skipped: %s", ev.Seq, op.Path, op.Skip)
	}
	record, err := atdata.UnmarshalCBOR(op.Block)
	if err != nil {
		t.Fatalf("seq %d: %s: %v", ev.Seq, op.Path, err)
	}
	if record["$type"] != string(op.Collection()) {
		t.Fatalf("seq %d: %s is of type %v", ev.Seq, op.Path, record["$type"])
	}
	j.shape(t, record)
}

// shape counts what posts carry, and checks facets by their bytes.
func (j *judge) shape(t *testing.T, record map[string]any) {
	t.Helper()
	for _, part := range []string{"facets", "reply", "langs", "tags"} {
		if record[part] != nil {
			j.seen["with "+part]++
		}
	}
	if embed, ok := record["embed"].(map[string]any); ok {
		j.seen[embed["$type"].(string)]++
	}
	facets, _ := record["facets"].([]any)
	for _, f := range facets {
		index := f.(map[string]any)["index"].(map[string]any)
		part := record["text"].(string)[index["byteStart"].(int64):index["byteEnd"].(int64)]
		if !strings.ContainsAny(part[:1], "@#n") {
			t.Fatalf("a facet marks %q", part)
		}
	}
}

// TestTrafficIsSound is the promise of the package, checked by others' code.
func TestTrafficIsSound(t *testing.T) {
	const events = 4000
	s := newSim(t, Config{Seed: 7, Accounts: 60})
	j := newJudge(s)
	var after event.Seq
	for range events {
		seq, data := next(t, s, after)
		j.frame(t, seq, data)
		after = seq
	}
	j.distribution(t, events)
	documents := s.DIDDocuments()
	for did := range j.rev {
		if key, _ := s.SigningKey(did); documents[did] != key {
			t.Fatalf("%s is not documented", did)
		}
	}
}

func TestE7NewcomersIntroduceThemselves(t *testing.T) {
	s := newSim(t, Config{Accounts: newcomers})
	j := newJudge(s)
	after := s.series.seq(s.series.length/2 - 1) // one newcomer, halfway
	var who string
	for _, kind := range []event.Kind{event.KindIdentity, event.KindAccount, event.KindSync, event.KindCommit} {
		seq, data := next(t, s, after)
		j.frame(t, seq, data)
		ev := decode(t, data)
		if ev.Kind != kind || who != "" && who != string(ev.DID) {
			t.Fatalf("a %s of %s, want a %s of %s", ev.Kind, ev.DID, kind, who)
		}
		who, after = string(ev.DID), seq
	}
}

// A commit may have as many ops as the protocol allows, and no more (E1).
func TestE1CommitsOfManyOps(t *testing.T) {
	s := newSim(t, Config{Accounts: 1})
	j := newJudge(s)
	var after event.Seq
	for j.seen["ops many"] == 0 {
		seq, data := next(t, s, after)
		j.frame(t, seq, data)
		after = seq
	}
}

func (j *judge) distribution(t *testing.T, events int) {
	t.Helper()
	for _, name := range []string{
		"commit", "sync", "identity", "account",
		"identity none", "identity invalid", "identity handle", "account true ",
		"ops 0", "ops few", "create", "update", "delete", "K-256",
		"create " + posts, "create " + reposts, "create " + follows, "create " + blocking, "create " + lists, "create " + listItems,
		"create " + profiles, "update " + profiles, "create " + notes, "create " + gates, "delete " + likes,
		"with facets", "with reply", "with langs", "with tags",
		"app.bsky.embed.images", "app.bsky.embed.external", "app.bsky.embed.record", "app.bsky.embed.recordWithMedia",
	} {
		if j.seen[name] == 0 {
			t.Errorf("no %s in %d events", name, events)
		}
	}
	commits := j.seen["commit"]
	if commits < events*95/100 || j.seen["ops 1"] < commits*90/100 {
		t.Errorf("%d commits, %d of one op", commits, j.seen["ops 1"])
	}
	if n := j.seen["create "+likes] * 100 / j.seen["create"]; n < 60 || n > 80 {
		t.Errorf("%d%% of creates are likes", n)
	}
	slices.Sort(j.sizes)
	if median := j.sizes[len(j.sizes)/2]; median < 3500 || median > 7000 {
		t.Errorf("the median commit is of %d bytes", median)
	}
}
