package dagcbor_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// A Transcoder makes JSON of the blocks of records, one after the other.
func ExampleTranscoder() {
	block, err := dagcbor.Marshal(map[string]any{
		"$type": "app.bsky.feed.like",
		"subject": map[string]any{
			"uri": "at://did:plc:aaaabbbbccccddddeeeeffff/app.bsky.feed.post/3kaaaaaaaaa2a",
			"cid": dagcbor.Link(syntax.SumCID(syntax.CodecRaw, []byte("fhctl example blob"))),
		},
	})
	if err != nil {
		log.Fatal(err)
	}

	var transcoder dagcbor.Transcoder
	json, info, err := transcoder.AppendJSON(nil, block)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n%s\n", info.Type, json)

	// Floats are no part of atproto's data model.
	_, _, err = transcoder.AppendJSON(nil, []byte("\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00"))
	var wrong *dagcbor.Error
	if errors.As(err, &wrong) {
		fmt.Println(wrong.Reason)
	}
	// Output:
	// app.bsky.feed.like
	// {"$type":"app.bsky.feed.like","subject":{"cid":{"$link":"bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm"},"uri":"at://did:plc:aaaabbbbccccddddeeeeffff/app.bsky.feed.post/3kaaaaaaaaa2a"}}
	// record_number
}

func ExampleUnmarshal() {
	block, err := dagcbor.Marshal(map[string]any{"rev": "3kaaaaaaaaa2a", "version": 3})
	if err != nil {
		log.Fatal(err)
	}
	var commit struct {
		Rev     string `cbor:"rev"`
		Version int64  `cbor:"version"`
	}
	if err := dagcbor.Unmarshal(block, &commit); err != nil {
		log.Fatal(err)
	}
	fmt.Println(commit.Rev, commit.Version)
	// Output: 3kaaaaaaaaa2a 3
}
