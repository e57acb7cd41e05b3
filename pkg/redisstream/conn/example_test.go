package conn_test

import (
	"context"
	"fmt"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
)

func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer server.Close()

	c := conn.Connection{URL: "redis://" + server.Addr()}
	client, err := conn.Dial(c)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	ctx := context.Background()
	fmt.Println(client.Set(ctx, "greeting", "hej", 0).Err(), client.Get(ctx, "greeting").Val())

	// A key of another type is damaged data: waiting does not help.
	err = c.Classed(ctx, "measure stream", client.XLen(ctx, "greeting").Err())
	fmt.Println(fault.ClassOf(err), err)
	// Output:
	// <nil> hej
	// data measure stream: WRONGTYPE Operation against a key holding the wrong kind of value
}
