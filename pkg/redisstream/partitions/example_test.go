package partitions_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// Each account has its stream, and each batch moves the cursors of all.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx := context.Background()
	connection := conn.Connection{URL: server.URL()}
	set, err := redisstream.OpenPartitions(ctx, redisstream.Config{
		Connection: connection, Identity: redisstream.Identity{Relay: "relay.example", Partitions: 2},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	resume, err := set.Resume(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resume.Why)

	var batch event.Batch
	batch.Reset(resume.Position)
	for seq, did := range []string{11: "did:plc:a", 12: "did:plc:b", 13: "did:plc:a"} {
		if did != "" {
			batch.Add(event.Seq(seq), event.KindIdentity, []byte(`{"did":"`+did+`","handle":null}`))
		}
	}
	if _, err := set.Commit(ctx, []*event.Batch{&batch}); err != nil {
		log.Fatal(err)
	}
	for i := range 2 {
		r, err := reader.Open(ctx, reader.Config{Connection: connection,
			StreamKey: keyspace.Partition(keyspace.DefaultStream, i), CursorKey: keyspace.Partition(keyspace.DefaultCursor, i)})
		if err != nil {
			log.Fatal(err)
		}
		cursor, err := r.Cursor(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print("cursor ", cursor.Seq, ", seqs")
		for stored, err := range r.Range(ctx, "", "") {
			if err != nil {
				log.Fatal(err)
			}
			seq, _ := stored.Seq()
			fmt.Print(" ", seq)
		}
		fmt.Println()
		_ = r.Close()
	}
	// Output:
	// no saved cursor in firehose:python_cursor:{0} to {1}: starting live
	// cursor 13, seqs 11 13
	// cursor 13, seqs 12
}
