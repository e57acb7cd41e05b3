package admin_test

import (
	"context"
	"fmt"

	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// A cursor is moved by who has seen where it stands.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer server.Close()
	ctx := context.Background()
	r, err := reader.Open(ctx, reader.Config{Connection: conn.Connection{URL: "redis://" + server.Addr()}})
	if err != nil {
		panic(err)
	}
	defer r.Close()

	seen, err := r.Cursor(ctx)
	if err != nil {
		panic(err)
	}
	move := admin.Move{Seen: seen, To: 42, Owner: script.Side{Relay: "relay.example"}, How: "42", By: "an example"}
	fmt.Println(admin.MoveCursor(ctx, r, move))
	fmt.Println(admin.MoveCursor(ctx, r, move)) // it was seen before the move
	changes, err := admin.History(ctx, r)
	fmt.Printf("%q to %q by %s, %v\n", changes[0].Before, changes[0].After, changes[0].By, err)
	// Output:
	// <nil>
	// move cursor: it is "42" now, where it was none a moment ago; nothing was changed
	// "" to "42" by an example, <nil>
}
