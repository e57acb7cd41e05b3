package stats_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
)

// See how a stream stands, and whether every group keeps up.
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

	reader, err := reader.Open(ctx, reader.Config{Connection: connection})
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Close()
	most := int64(100_000)
	report, err := stats.Collect(ctx, reader, stats.Options{
		Redis: server.URL(), MaxLength: redisstream.DefaultMaxLen, Sample: 2000,
		Limits: stats.Limits{Lag: &most},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Stream.Key, "holds", report.Stream.Length, "entries, the newest", report.Stream.LastSeq())
	for _, kind := range report.Sample.Kinds {
		fmt.Println(kind.Name, kind.Count)
	}
	fmt.Println("cursor", *report.Cursor.Seq, "of", *report.Cursor.Relay)
	for _, check := range report.Checks {
		fmt.Println(check.Name, check.Status+":", check.Detail)
	}
	// Output:
	// firehose:events holds 2 entries, the newest 7000000124
	// identity 1
	// account 1
	// cursor 7000000124 of relay.example
	// max-lag unknown: stream firehose:events has no consumer group
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
