package event

// Collection is one of the collections that are counted by name, or
// OtherCollection. Anybody may write records of any collection, so the names
// that become metric labels are a fixed list: a stranger can neither add a
// label nor crowd one out.
type Collection uint8

// collectionNames are the lexicons an operator asks about. New ones are added at
// the end of their family; nothing stores the numbers.
var collectionNames = [...]string{
	"other",
	"app.bsky.actor.profile",
	"app.bsky.actor.status",
	"app.bsky.feed.generator",
	"app.bsky.feed.like",
	"app.bsky.feed.post",
	"app.bsky.feed.postgate",
	"app.bsky.feed.repost",
	"app.bsky.feed.threadgate",
	"app.bsky.graph.block",
	"app.bsky.graph.follow",
	"app.bsky.graph.list",
	"app.bsky.graph.listblock",
	"app.bsky.graph.listitem",
	"app.bsky.graph.starterpack",
	"app.bsky.graph.verification",
	"app.bsky.labeler.service",
	"app.bsky.notification.declaration",
	"chat.bsky.actor.declaration",
	"com.atproto.lexicon.schema",
}

// OtherCollection is every collection without a name of its own.
const OtherCollection Collection = 0

// Collections is how many there are: a size for tables indexed by Collection.
const Collections = len(collectionNames)

var collectionsByName = func() map[string]Collection {
	known := make(map[string]Collection, Collections)
	for i, name := range collectionNames[1:] {
		known[name] = Collection(i + 1)
	}
	return known
}()

// CollectionOf finds nsid in the fixed list. It does not allocate.
func CollectionOf(nsid []byte) Collection { return collectionsByName[string(nsid)] }

// String is the metric label.
func (c Collection) String() string { return collectionNames[c] }

// OpCounts is how many ops were delivered, by collection and action.
type OpCounts [Collections][4]int64

// Of is how many ops of the action there were, in all collections.
func (c *OpCounts) Of(a Action) (n int64) {
	for i := range c {
		n += c[i][a]
	}
	return n
}
