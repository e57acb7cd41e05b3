package frame_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/sim"
)

// One Decoder and one Event serve all messages of a connection.
func ExampleDecoder() {
	relay, err := sim.New(sim.Config{Count: 3})
	if err != nil {
		log.Fatal(err)
	}
	defer relay.Close()

	var decoder frame.Decoder
	var ev event.Event
	for last := event.Seq(0); ; last = ev.Seq {
		_, message, err := relay.Next(context.Background(), last)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			log.Fatal(err)
		}
		if err := decoder.Decode(message, &ev); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("seq %d: %s of %s\n", ev.Seq, ev.Kind, ev.DID)
		for _, op := range ev.Commit.Ops {
			fmt.Printf("  %s %s, %d bytes of JSON\n", op.Action, op.Collection(), len(op.Record))
		}
	}

	// What cannot be decoded comes with a reason from a closed list.
	var reject *event.Reject
	if err := decoder.Decode([]byte("hello"), &ev); errors.As(err, &reject) {
		fmt.Println("rejected:", reject.Reason)
	}
	// Output:
	// seq 7000000000: commit of did:plc:22tf3bezogyr7kjrxak5njp5
	//   create app.bsky.feed.like, 228 bytes of JSON
	// seq 7000000001: commit of did:plc:q3vhdxojoocbebwvvgtwii4r
	//   create app.bsky.feed.like, 228 bytes of JSON
	// seq 7000000002: commit of did:plc:idor7m646bmlfidn25l4qiwm
	//   create app.bsky.feed.like, 228 bytes of JSON
	// rejected: cbor
}

// PeekSeq is for programs that pass frames on without looking inside.
func ExamplePeekSeq() {
	message, err := frame.Append(nil, &event.Event{
		Kind: event.KindIdentity, Seq: 7000000123,
		DID: []byte("did:plc:aaaabbbbccccddddeeeeffff"), Time: []byte("2026-01-02T15:04:05Z"),
		Identity: event.Identity{Handle: []byte("cat.example")},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(frame.PeekSeq(message))
	// Output: 7000000123 true
}
