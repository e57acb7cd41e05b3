package script_test

import (
	"context"
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// A batch of two events is stored and moves the cursor; the same call again finds that
// the cursor is there.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client, err := conn.Dial(conn.Connection{URL: "redis://" + server.Addr()})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	keys := script.KeysOf(keyspace.DefaultStream, keyspace.DefaultCursor, false)
	head := script.Head{Relay: "relay.example", Partitions: 1, From: "saved"}
	for range 2 {
		var call script.Call
		call.Append = script.Append{
			Start: 6, Upto: 8, Relay: "relay.example", Partitions: 1, Adopt: script.Flag(false),
			Side: head.Append(nil), Policy: script.Policy{}.String(),
		}
		call.Begin(keys.KeyArgs(), 2, true)
		call.Add(7, event.KindAccount, []byte(`{"did":"did:plc:aaa","active":true}`))
		call.Add(8, event.KindAccount, []byte(`{"did":"did:plc:bbb","active":false}`))
		script.Send(context.Background(), client, []*script.Call{&call})
		reply, err := call.Reply()
		fmt.Println(reply.Status, "cursor", reply.Cursor, "appended", reply.Appended, err)
	}
	// Output:
	// OK cursor 8 appended 2 <nil>
	// CONFLICT cursor 8 appended 0 <nil>
}
