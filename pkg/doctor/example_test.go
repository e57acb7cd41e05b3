package doctor_test

import (
	"context"
	"fmt"
	"iter"
	"log"
	"time"

	"github.com/fhctl/fhctl/pkg/doctor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// silent is a relay that answers and sends nothing; pkg/relay has the real one.
type silent struct{ link func(event.Link) }

func (s silent) Frames(context.Context, func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(func(*event.Chunk, error) bool) {
		s.link(event.Link{State: event.LinkUp, URL: "wss://relay.example"})
	}
}

// Examine an empty Redis, and a relay that sends nothing.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	targets := doctor.Targets{
		Relay: doctor.Relay{Name: "wss://relay.example", Identity: "relay.example", Open: func(link func(event.Link)) (pipeline.FrameSource, error) {
			return silent{link}, nil
		}},
		Redis: doctor.Redis{Name: "embedded", Open: func(ctx context.Context, cursorKey string) (*reader.Reader, error) {
			return reader.Open(ctx, reader.Config{Connection: conn.Connection{URL: server.URL()}, CursorKey: cursorKey, OtherCount: true})
		}},
	}
	options := doctor.Options{StreamKey: "firehose:events", CursorKey: "firehose:python_cursor", Filter: "none", Wait: time.Second}
	for check, err := range doctor.Examine(context.Background(), targets, options) {
		if err != nil {
			log.Fatal(err)
		}
		if check.Status != doctor.OK {
			fmt.Println(check.Status, check.Name+":", check.Detail)
		}
	}
	// Output:
	// failure relay.events: nothing came within 1s
	// unknown relay.clock: no event told its time
	// warning redis.persistence: the embedded server keeps nothing on disk
	// warning stream: firehose:events does not exist yet
}
