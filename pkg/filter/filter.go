package filter

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// Config lists what to keep. An empty list keeps everything; the lists are
// combined with "and".
type Config struct {
	// Collections holds NSIDs, or prefixes written "ns.*". It applies to
	// commits only: account and identity events pass it, since consumers
	// need them for every account.
	Collections []string
	// DIDs holds the accounts to keep, of every kind of event.
	DIDs []string
	// Kinds holds commit, identity or account.
	Kinds []string
	// Actions holds create, update or delete. Like Collections it applies to
	// commits only.
	Actions []string
}

// Filter judges events. It is immutable and safe for concurrent use; a nil
// Filter keeps everything.
type Filter struct {
	exact    map[string]bool
	prefixes []string
	dids     map[string]bool
	kinds    [event.Kinds]bool
	byKind   bool
	actions  [event.Delete + 1]bool
	byAction bool
	print    string
}

// New checks the lists. It returns nil, which keeps everything, when all are
// empty. Errors name the value and are of class usage.
func New(cfg Config) (*Filter, error) {
	if len(cfg.Collections)+len(cfg.DIDs)+len(cfg.Kinds)+len(cfg.Actions) == 0 {
		return nil, nil
	}
	f := &Filter{exact: map[string]bool{}, dids: map[string]bool{}, print: fingerprint(cfg)}
	for _, c := range cfg.Collections {
		if err := f.addCollection(c); err != nil {
			return nil, err
		}
	}
	for _, did := range cfg.DIDs {
		if !syntax.ValidDID([]byte(did)) {
			return nil, refuse("a DID", did, "write a DID such as did:plc:aaaabbbbccccddddeeeeffff")
		}
		f.dids[did] = true
	}
	for _, name := range cfg.Kinds {
		kind, ok := event.ParseKind(name)
		if !ok || !stored(kind) {
			return nil, refuse("a kind of event", name, "the kinds are commit, identity and account")
		}
		f.kinds[kind], f.byKind = true, true
	}
	for _, name := range cfg.Actions {
		action, ok := event.ParseAction(name)
		if !ok {
			return nil, refuse("an action", name, "the actions are create, update and delete")
		}
		f.actions[action], f.byAction = true, true
	}
	return f, nil
}

func (f *Filter) addCollection(pattern string) error {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasSuffix(prefix, ".") && len(prefix) > 1 {
		f.prefixes = append(f.prefixes, prefix)
		return nil
	}
	if !syntax.ValidNSID([]byte(pattern)) {
		return refuse("a collection, nor a prefix of one", pattern, "write a collection such as app.bsky.feed.post, or a prefix such as app.bsky.*")
	}
	f.exact[pattern] = true
	return nil
}

func refuse(what, value, hint string) error {
	return fault.New(fault.Usage, fmt.Errorf("filter: %q is not %s", value, what), hint)
}

// stored reports whether events of the kind become entries at all.
func stored(kind event.Kind) bool {
	return kind == event.KindCommit || kind == event.KindIdentity || kind == event.KindAccount
}

// Keep reports whether the event is wanted. Where it chooses collections or actions it
// first takes the unwanted ops out of a commit, which is wanted while any op is left.
func (f *Filter) Keep(ev *event.Event) bool {
	switch {
	case !f.admits(ev):
		return false
	case ev.Kind != event.KindCommit || !f.ByOp():
		return true
	}
	ev.Commit.Ops = slices.DeleteFunc(ev.Commit.Ops, func(op event.Op) bool { return !f.Wants(op.Action, op.Collection()) })
	return len(ev.Commit.Ops) > 0
}

// Mask is Keep without a change to the event: stay tells of each op whether Keep would
// leave it. It is made in the memory of the slice that is given, which may be nil.
func (f *Filter) Mask(ev *event.Event, stay []bool) (keep bool, _ []bool) {
	keep, stay = f.admits(ev), stay[:0]
	looks := keep && ev.Kind == event.KindCommit && f.ByOp()
	if looks {
		keep = false
	}
	for i := range ev.Commit.Ops {
		op := &ev.Commit.Ops[i]
		stays := !looks || f.Wants(op.Action, op.Collection())
		stay, keep = append(stay, stays), keep || looks && stays
	}
	return keep, stay
}

// admits judges an event by its kind and account.
func (f *Filter) admits(ev *event.Event) bool {
	if f == nil {
		return true
	}
	if f.byKind && !f.kinds[ev.Kind] {
		return false
	}
	return f.Account(ev.DID)
}

// Account reports whether events of the account may be wanted.
func (f *Filter) Account(did []byte) bool {
	return f == nil || len(f.dids) == 0 || f.dids[string(did)]
}

// ByOp reports whether it chooses ops, by their collection or action.
func (f *Filter) ByOp() bool {
	return f != nil && (f.byAction || len(f.exact)+len(f.prefixes) > 0)
}

// Wants reports whether an op of a commit is wanted, whatever the account.
func (f *Filter) Wants(action event.Action, collection []byte) bool {
	switch {
	case f == nil:
		return true
	case f.byAction && !f.actions[action]:
		return false
	case len(f.exact)+len(f.prefixes) == 0:
		return true
	}
	if f.exact[string(collection)] {
		return true
	}
	for _, prefix := range f.prefixes {
		if len(collection) > len(prefix) && string(collection[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// Fingerprint is "none", or a short name equal for equal filters whatever the
// order of their lists.
func (f *Filter) Fingerprint() string {
	if f == nil {
		return "none"
	}
	return f.print
}

func fingerprint(cfg Config) string {
	short := func(sum []byte) string { return hex.EncodeToString(sum[:8]) }
	print := "none"
	if len(cfg.Collections)+len(cfg.DIDs)+len(cfg.Kinds) > 0 {
		sum := sha256.New()
		for _, list := range [][]string{cfg.Collections, cfg.DIDs, cfg.Kinds} {
			sorted := slices.Compact(slices.Sorted(slices.Values(list)))
			fmt.Fprintf(sum, "%d\n%s\n", len(sorted), strings.Join(sorted, "\n"))
		}
		print = short(sum.Sum(nil))
	}
	if len(cfg.Actions) > 0 { // as replays have noted it from the first on
		sum := sha256.Sum256([]byte(print + "\n" + strings.Join(slices.Compact(slices.Sorted(slices.Values(cfg.Actions))), "\n")))
		print = short(sum[:])
	}
	return print
}
