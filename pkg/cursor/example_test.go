package cursor_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/fhctl/fhctl/pkg/cursor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// See what going back one event would repeat, then go there.
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

	r, err := reader.Open(ctx, reader.Config{Connection: connection})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	where, err := place.Parse("7000000123", time.Now())
	if err != nil {
		log.Fatal(err)
	}
	plan, err := cursor.MakePlan(ctx, r, cursor.Options{Place: where, Configured: "relay.example", By: "an example"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("from", *plan.Before.Cursor, "to", *plan.After.Cursor, "of", *plan.After.Relay)
	fmt.Println("repeats", *plan.Repeats, "and skips", *plan.Skips)
	if err := plan.Apply(ctx, r); err != nil {
		log.Fatal(err)
	}
	changes, err := cursor.History(ctx, r)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range changes.Changes {
		fmt.Println("moved from", *c.Before, "to", *c.After, "by", c.By)
	}
	// Output:
	// from 7000000124 to 7000000123 of relay.example
	// repeats 1 and skips 0
	// moved from 7000000124 to 7000000123 by an example
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
	batch.Add(7000000124, event.KindAccount, []byte(`{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`))
	_, err = writer.Commit(ctx, []*event.Batch{&batch})
	return err
}
