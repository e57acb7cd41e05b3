package mst_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/mst"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// A commit that creates a post, as a repository makes it and as a reader proves it.
func Example() {
	tree := mst.New()
	like := syntax.SumCID(syntax.CodecDAGCBOR, []byte("a like"))
	if _, err := tree.Insert("app.bsky.feed.like/3kaaaaaaaaa2a", like); err != nil {
		log.Fatal(err)
	}
	before, err := tree.Root()
	if err != nil {
		log.Fatal(err)
	}
	post := syntax.SumCID(syntax.CodecDAGCBOR, []byte("a post"))
	if _, err := tree.Insert("app.bsky.feed.post/3kbbbbbbbbb2b", post); err != nil {
		log.Fatal(err)
	}
	after, nodes, err := tree.Proof()
	if err != nil {
		log.Fatal(err)
	}

	// The reader has the nodes that the commit brought, and nothing else.
	get := func(cid []byte) []byte {
		for _, node := range nodes {
			if string(node.CID) == string(cid) {
				return node.Data
			}
		}
		return nil
	}
	ops := []mst.Op{{Action: event.Create, Path: "app.bsky.feed.post/3kbbbbbbbbb2b", CID: post}}
	fmt.Println("proven:", mst.Verify(after, get, ops, before) == nil)

	// An op that is left out is found.
	err = mst.Verify(after, get, nil, before)
	fmt.Println("left out:", errors.Is(err, mst.ErrInversion))
	// Output:
	// proven: true
	// left out: true
}
