package redisstream_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// Store two events, and look at what is there.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx := context.Background()
	connection := conn.Connection{URL: server.URL()}

	writer, err := redisstream.Open(ctx, redisstream.Config{
		Connection: connection, MaxLen: redisstream.DefaultMaxLen,
		Identity: redisstream.Identity{Relay: "relay.example"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer writer.Close()
	resume, err := writer.Resume(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("begin %s: %s\n", resume.Position, resume.Why)

	var batch event.Batch
	batch.Reset(resume.Position)
	batch.Add(7000000123, event.KindIdentity, []byte(`{"did":"did:plc:aaaabbbbccccddddeeeeffff","handle":"cat.example"}`))
	batch.Add(7000000124, event.KindAccount, []byte(`{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`))
	receipts, err := writer.Commit(ctx, []*event.Batch{&batch})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("appended", receipts[0].Appended, "cursor", receipts[0].Cursor)

	// The same batch again, as after a lost reply: it is there already.
	if receipts, err = writer.Commit(ctx, []*event.Batch{&batch}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("appended", receipts[0].Appended, "present", receipts[0].Present)

	reader, err := reader.Open(ctx, reader.Config{Connection: connection})
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Close()
	for stored, err := range reader.Range(ctx, "", "") {
		if err != nil {
			log.Fatal(err)
		}
		kind, _ := stored.Value("type")
		seq, _ := stored.Seq()
		fmt.Println(seq, kind)
	}
	entry, found, err := reader.SeekSeq(ctx, 7000000124) // bisects, so that it is fast in any stream
	if err != nil || !found {
		log.Fatal(found, err)
	}
	data, _ := entry.Value("data")
	fmt.Println(data)
	cursor, err := reader.Cursor(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("cursor", cursor.Seq, "of", cursor.Relay())
	// Output:
	// begin live: no saved cursor in firehose:python_cursor: starting live
	// appended 2 cursor 7000000124
	// appended 0 present 2
	// 7000000123 identity
	// 7000000124 account
	// {"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}
	// cursor 7000000124 of relay.example
}
