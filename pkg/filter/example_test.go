package filter_test

import (
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
)

func Example() {
	posts, err := filter.New(filter.Config{Collections: []string{"app.bsky.feed.post", "com.example.*"}})
	if err != nil {
		log.Fatal(err)
	}
	ev := event.Event{
		Kind: event.KindCommit, DID: []byte("did:plc:aaaabbbbccccddddeeeeffff"),
		Commit: event.Commit{Ops: []event.Op{
			{Action: event.Delete, Path: []byte("app.bsky.feed.post/3kaaaaaaaaa2a")},
			{Action: event.Delete, Path: []byte("app.bsky.feed.like/3kbbbbbbbbb2b")},
		}},
	}
	fmt.Println(posts.Keep(&ev))
	for _, op := range ev.Commit.Ops { // the like was taken out
		fmt.Printf("%s\n", op.Path)
	}

	// Events about accounts pass a filter of collections.
	fmt.Println(posts.Keep(&event.Event{Kind: event.KindAccount, DID: ev.DID}))

	_, err = filter.New(filter.Config{DIDs: []string{"cat.example"}})
	fmt.Println(err)
	// Output:
	// true
	// app.bsky.feed.post/3kaaaaaaaaa2a
	// true
	// filter: "cat.example" is not a DID
}
