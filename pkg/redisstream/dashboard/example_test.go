package dashboard_test

import (
	"context"
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
)

// When its context ends, a dashboard says that nobody is connected any more.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer server.Close()
	c := conn.Connection{URL: "redis://" + server.Addr()}
	d, err := dashboard.New(dashboard.Config{Connection: c, RelayURL: "wss://relay.example", Writer: "fhctl/example"})
	if err != nil {
		panic(err)
	}
	d.Link(event.Link{State: event.LinkUp})
	ended, end := context.WithCancel(context.Background())
	end()
	fmt.Println(d.Run(ended))

	client, err := conn.Dial(c)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	beat := dashboard.ParseHeartbeat(client.Get(context.Background(), dashboard.StatusKey).Val())
	fmt.Println(beat.Writer, beat.URL, beat.Connected, beat.Stopped)
	// Output:
	// <nil>
	// fhctl/example wss://relay.example false true
}
