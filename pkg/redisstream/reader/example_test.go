package reader_test

import (
	"context"
	"fmt"

	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer server.Close()
	c, ctx := conn.Connection{URL: "redis://" + server.Addr()}, context.Background()
	client, err := conn.Dial(c)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	for seq := 7; seq < 10; seq++ {
		client.Do(ctx, "xadd", keyspace.DefaultStream, fmt.Sprintf("%d-0", 1000+seq), "type", "commit", "data", "{}", "seq", seq)
	}

	r, err := reader.Open(ctx, reader.Config{Connection: c})
	if err != nil {
		panic(err)
	}
	defer r.Close()
	first, found, err := r.SeekSeq(ctx, 8)
	fmt.Println(first.ID, found, err)
	for entry, err := range r.Range(ctx, first.ID, "") {
		seq, _ := entry.Seq()
		fmt.Println(seq, err)
	}
	// Output:
	// 1008-0 true <nil>
	// 8 <nil>
	// 9 <nil>
}
