package audit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/audit"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/verify"
)

// Check a stream and its cursor, and print what is wrong.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx := context.Background()
	connection := conn.Connection{URL: server.URL()}
	if err := store(ctx, connection); err != nil {
		log.Fatal(err)
	}

	stream, err := reader.Open(ctx, reader.Config{Connection: connection})
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	found, err := audit.Stream(ctx, stream, audit.Stretch{}, audit.Options{Rules: verify.Config{
		Report: func(f verify.Finding) { fmt.Printf("%s %s at seq %d: %s\n", f.Severity, f.Rule, f.Seq, f.Detail) },
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Items, "entries, cursor", found.Cursor.After, "clean:", found.Clean())
	// Output:
	// warning seq-gap at seq 7000000125: 1 missing behind 7000000123
	// 2 entries, cursor 7000000125 clean: true
}

func store(ctx context.Context, connection conn.Connection) error {
	writer, err := redisstream.Open(ctx, redisstream.Config{Connection: connection, Identity: redisstream.Identity{Relay: "relay.example"}})
	if err != nil {
		return err
	}
	defer writer.Close()
	resume, err := writer.Resume(ctx)
	if err != nil {
		return err
	}
	var batch event.Batch
	batch.Reset(resume.Position)
	batch.Add(7000000123, event.KindIdentity, []byte(`{"did":"did:plc:aaaabbbbccccddddeeeeffff","handle":"cat.example"}`))
	batch.Add(7000000125, event.KindAccount, []byte(`{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`))
	_, err = writer.Commit(ctx, []*event.Batch{&batch})
	return err
}
