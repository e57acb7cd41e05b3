package embedded_test

import (
	"context"
	"fmt"
	"log"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
)

// Any client of Redis can use the server; port 0 takes a free one.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	ctx := context.Background()
	if err := client.XAdd(ctx, &redis.XAddArgs{Stream: "firehose:events", Values: []string{"type", "account"}}).Err(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.XLen(ctx, "firehose:events").Result())
	// Output: 1 <nil>
}
