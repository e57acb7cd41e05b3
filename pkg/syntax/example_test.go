package syntax_test

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/syntax"
)

func ExampleParseATURI() {
	uri, ok := syntax.ParseATURI("at://did:plc:aaaabbbbccccddddeeeeffff/app.bsky.feed.post/3kaaaaaaaaa2a")
	fmt.Println(ok)
	fmt.Println(uri.Authority)
	fmt.Println(uri.Collection, uri.RecordKey)
	// Output:
	// true
	// did:plc:aaaabbbbccccddddeeeeffff
	// app.bsky.feed.post 3kaaaaaaaaa2a
}

func ExampleValidDID() {
	fmt.Println(syntax.ValidDID("did:plc:aaaabbbbccccddddeeeeffff"))
	fmt.Println(syntax.ValidDID([]byte("cat.example")))
	// Output:
	// true
	// false
}

func ExampleSumCID() {
	cid := syntax.SumCID(syntax.CodecRaw, []byte("fhctl example blob"))
	text := syntax.CIDText(cid)
	fmt.Println(text)

	again, err := syntax.ParseCID(text)
	fmt.Println(string(again) == string(cid), err)
	// Output:
	// bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm
	// true <nil>
}
