package keyspace_test

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
)

func Example() {
	cursor := keyspace.Partition(keyspace.DefaultCursor, 2)
	fmt.Println(cursor, keyspace.Side(cursor), keyspace.Lease(cursor))
	fmt.Println(keyspace.CheckSlot(keyspace.Partition(keyspace.DefaultStream, 2), cursor))
	fmt.Println(keyspace.CheckSlot(keyspace.DefaultStream, keyspace.DefaultCursor))
	// Output:
	// firehose:python_cursor:{2} firehose:python_cursor:{2}:meta firehose:python_cursor:{2}:lease
	// <nil>
	// keys firehose:events and firehose:python_cursor may be on different nodes of the cluster
}
