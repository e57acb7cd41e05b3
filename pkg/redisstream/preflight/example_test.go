package preflight_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/preflight"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// The stream's key holds a list.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	target, err := conn.Parse(conn.Connection{URL: server.URL()}.WithDefaults())
	if err != nil {
		log.Fatal(err)
	}
	client := target.Connect(conn.StoreReply)
	defer client.Close()
	ctx := context.Background()
	if err := client.Do(ctx, "rpush", "events", "x").Err(); err != nil {
		log.Fatal(err)
	}

	s := preflight.Server{Client: client, Target: target, Keys: script.KeysOf("events", "cursor", false), Log: slog.New(slog.DiscardHandler),
		StreamKey: "events", CursorKey: "cursor", SideKey: "cursor:meta", LeaseKey: "cursor:lease"}
	if err := s.Answers(ctx); err != nil { // it does, whatever the key holds
		log.Fatal(err)
	}
	_, err = s.Inspect(ctx)
	fmt.Println(fault.ClassOf(err), "-", fault.HintOf(err))
	// Output:
	// data - look at it with TYPE events; rename it, or choose another key name
}
