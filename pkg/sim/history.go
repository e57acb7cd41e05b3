package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fhctl/fhctl/pkg/mst"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// Collections that accounts write to.
const (
	likes     = "app.bsky.feed.like"
	posts     = "app.bsky.feed.post"
	reposts   = "app.bsky.feed.repost"
	gates     = "app.bsky.feed.threadgate"
	follows   = "app.bsky.graph.follow"
	blocking  = "app.bsky.graph.block"
	lists     = "app.bsky.graph.list"
	listItems = "app.bsky.graph.listitem"
	profiles  = "app.bsky.actor.profile"
	notes     = "com.example.sim.note"

	profileKey = "self"
)

// past is how many records an established account has of each collection. The
// sum makes trees about as deep, and so proofs about as large, as those of
// real accounts.
var past = []struct {
	collection string
	records    int
}{{likes, 5000}, {posts, 1500}, {reposts, 800}, {follows, 600}, {blocking, 60}, {listItems, 30}, {lists, 4}, {gates, 10}}

// newHistory is the tree all established accounts start from, in which only
// what new records need is kept. Nobody can tell that they share it: none of
// its records was ever sent.
func newHistory(s *series) (*mst.Tree, error) {
	random := rand.New(rand.NewPCG(s.seed, 0))
	tree := mst.New()
	edges := []string{profiles + "/" + profileKey, notes + "/"}
	const years = 2 * 365 * 24 * time.Hour
	for _, p := range past {
		for range p.records {
			when := s.epoch.Add(-time.Duration(random.Int64N(int64(years))))
			path := p.collection + "/" + tid(when, random.IntN(1024))
			cid := syntax.SumCID(syntax.CodecDAGCBOR, []byte(path))
			if _, err := tree.Insert(path, cid); err != nil {
				return nil, fmt.Errorf("make history: %w", err)
			}
		}
		edges = append(edges, p.collection+"/"+tid(s.epoch.Add(time.Microsecond), 0))
	}
	if err := tree.Thin(edges...); err != nil {
		return nil, fmt.Errorf("make history: %w", err)
	}
	return tree, nil
}
