package filter_test

import (
	"slices"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
)

const someone, other = "did:plc:aaaabbbbccccddddeeeeffff", "did:plc:gggghhhhiiiijjjjkkkkllll"

func commit(did string, paths ...string) *event.Event {
	ev := &event.Event{Kind: event.KindCommit, DID: []byte(did)}
	for _, path := range paths {
		ev.Commit.Ops = append(ev.Commit.Ops, event.Op{Action: event.Create, Path: []byte(path)})
	}
	return ev
}

// unnamed is a commit whose ops say none of the actions.
func unnamed(did string, paths ...string) *event.Event {
	ev := commit(did, paths...)
	for i := range ev.Commit.Ops {
		ev.Commit.Ops[i].Action = event.ActionNone
	}
	return ev
}

func TestKeep(t *testing.T) {
	const post, like, profile = "app.bsky.feed.post/1", "app.bsky.feed.like/2", "app.bsky.actor.profile/self"
	identity := &event.Event{Kind: event.KindIdentity, DID: []byte(other)}
	cases := map[string]struct {
		cfg  filter.Config
		ev   *event.Event
		want bool
		ops  int
	}{
		"nothing configured":              {filter.Config{}, commit(someone, post), true, 1},
		"exact collection":                {filter.Config{Collections: []string{"app.bsky.feed.post"}}, commit(someone, post, like), true, 1},
		"no op left":                      {filter.Config{Collections: []string{"app.bsky.feed.post"}}, commit(someone, like), false, 0},
		"prefix":                          {filter.Config{Collections: []string{"app.bsky.feed.*"}}, commit(someone, post, profile, like), true, 2},
		"a prefix is no part of a name":   {filter.Config{Collections: []string{"app.bsky.fee.*"}}, commit(someone, post), false, 0},
		"a commit without ops has none":   {filter.Config{Collections: []string{"app.bsky.*"}}, commit(someone), false, 0},
		"identity passes collections":     {filter.Config{Collections: []string{"app.bsky.*"}}, identity, true, 0},
		"account wanted":                  {filter.Config{DIDs: []string{someone}}, commit(someone, post), true, 1},
		"account not wanted":              {filter.Config{DIDs: []string{someone}}, identity, false, 0},
		"kind wanted":                     {filter.Config{Kinds: []string{"identity"}}, identity, true, 0},
		"kind not wanted":                 {filter.Config{Kinds: []string{"identity"}}, commit(someone, post), false, 1},
		"all lists must agree":            {filter.Config{Kinds: []string{"commit"}, DIDs: []string{other}}, commit(someone, post), false, 1},
		"action wanted":                   {filter.Config{Actions: []string{"create"}}, commit(someone, post, like), true, 2},
		"action not wanted":               {filter.Config{Actions: []string{"delete", "update"}}, commit(someone, post), false, 0},
		"an action that is none":          {filter.Config{Actions: []string{"create"}}, unnamed(someone, post), false, 0},
		"action and collection":           {filter.Config{Actions: []string{"create"}, Collections: []string{"app.bsky.feed.like"}}, commit(someone, post, like), true, 1},
		"identity passes actions":         {filter.Config{Actions: []string{"delete"}}, identity, true, 0},
		"a commit without ops, no action": {filter.Config{Actions: []string{"create"}}, commit(someone), false, 0},
		"a commit without ops, no filter": {filter.Config{DIDs: []string{someone}}, commit(someone), true, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f, err := filter.New(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			// Mask says beforehand what Keep does.
			before := slices.Clone(c.ev.Commit.Ops)
			keep, stay := f.Mask(c.ev, nil)
			var left []event.Op
			for i, op := range before {
				if stay[i] {
					left = append(left, op)
				}
			}
			if keep != c.want || c.want && len(left) != c.ops || len(c.ev.Commit.Ops) != len(before) {
				t.Errorf("the mask is %v %v, want %v with %d ops", keep, stay, c.want, c.ops)
			}
			if got := f.Keep(c.ev); got != c.want || len(c.ev.Commit.Ops) != c.ops {
				t.Errorf("kept %v with %d ops, want %v with %d", got, len(c.ev.Commit.Ops), c.want, c.ops)
			}
		})
	}
}

func TestFingerprintIgnoresOrderOnly(t *testing.T) {
	print := func(cfg filter.Config) string {
		f, err := filter.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return f.Fingerprint()
	}
	a := print(filter.Config{Collections: []string{"app.bsky.feed.post", "app.bsky.feed.like"}})
	b := print(filter.Config{Collections: []string{"app.bsky.feed.like", "app.bsky.feed.post", "app.bsky.feed.like"}})
	c := print(filter.Config{Collections: []string{"app.bsky.feed.like"}})
	d := print(filter.Config{Kinds: []string{"commit"}})
	// Replays that were broken off have noted these, and go on only with the same.
	e := print(filter.Config{Actions: []string{"update", "create", "update"}})
	f := print(filter.Config{Collections: []string{"app.bsky.feed.like"}, Actions: []string{"delete"}})
	if e != "179a538fd5f97228" || f != "5bd1285557041971" {
		t.Errorf("fingerprints with actions: %s %s", e, f)
	}
	if a != b || a == c || c == d || print(filter.Config{}) != "none" {
		t.Errorf("fingerprints %s %s %s %s", a, b, c, d)
	}
}

func TestRefusals(t *testing.T) {
	for name, cfg := range map[string]filter.Config{
		"star alone":    {Collections: []string{"*"}},
		"star inside":   {Collections: []string{"app.*.post"}},
		"no dot":        {Collections: []string{"app*"}},
		"not an NSID":   {Collections: []string{"post"}},
		"not a DID":     {DIDs: []string{"alice.example"}},
		"unknown kind":  {Kinds: []string{"commits"}},
		"no action":     {Actions: []string{"creates"}},
		"empty action":  {Actions: []string{""}},
		"kind unstored": {Kinds: []string{"sync"}},
	} {
		if _, err := filter.New(cfg); fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%s: %v, class %v", name, err, fault.ClassOf(err))
		}
	}
}

// What asks of one op alone gets the answers of Keep; no filter wants everything.
func TestOneOpAtATime(t *testing.T) {
	var none *filter.Filter
	if !none.Wants(event.ActionNone, nil) || !none.Account(nil) || none.ByOp() {
		t.Error("no filter chooses")
	}
	f, err := filter.New(filter.Config{DIDs: []string{someone}, Collections: []string{"app.bsky.feed.*"}, Actions: []string{"delete"}})
	if err != nil {
		t.Fatal(err)
	}
	if !f.ByOp() || !f.Account([]byte(someone)) || f.Account([]byte(other)) || f.Account(nil) {
		t.Error("accounts")
	}
	for _, tc := range []struct {
		action     event.Action
		collection string
		want       bool
	}{{event.Delete, "app.bsky.feed.post", true}, {event.Create, "app.bsky.feed.post", false}, {event.Delete, "app.bsky.feed.", false}, {event.Delete, "", false}} {
		if got := f.Wants(tc.action, []byte(tc.collection)); got != tc.want {
			t.Errorf("%s of %q: %v", tc.action, tc.collection, got)
		}
	}
}
