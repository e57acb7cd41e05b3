package identity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"strings"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/identity"
	"github.com/fhctl/fhctl/pkg/sim"
)

// Check the signature of a commit: it is made over the commit's block without its sig.
func Example() {
	traffic, err := sim.New(sim.Config{Count: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer traffic.Close()
	_, message, err := traffic.Next(context.Background(), 0)
	if err != nil {
		log.Fatal(err)
	}
	documents, err := json.Marshal(traffic.DIDDocuments()) // usually a file: identity.Open
	if err != nil {
		log.Fatal(err)
	}
	keys, err := identity.Read(strings.NewReader(string(documents)))
	if err != nil {
		log.Fatal(err)
	}

	var decoder frame.Decoder
	var ev event.Event
	if err := decoder.Decode(message, &ev); err != nil {
		log.Fatal(err)
	}
	archive, err := blocks.Read(ev.Commit.Blocks)
	if err != nil {
		log.Fatal(err)
	}
	var commit map[string]any
	if err := dagcbor.Unmarshal(archive.Get(ev.Commit.CID), &commit); err != nil {
		log.Fatal(err)
	}
	sig, _ := commit["sig"].([]byte)
	delete(commit, "sig")
	unsigned, err := dagcbor.Marshal(commit)
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(keys.Verify(string(ev.DID), unsigned, sig))
	fmt.Println(keys.Verify("did:plc:aaaabbbbccccddddeeeeffff", unsigned, sig)) // no key
	_, err = keys.Verify(string(ev.DID), []byte("something else"), sig)
	fmt.Println(err)
	// Output:
	// true <nil>
	// false <nil>
	// cryptographic signature invalid
}
