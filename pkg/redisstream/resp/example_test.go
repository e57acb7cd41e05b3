package resp_test

import (
	"errors"
	"fmt"

	"github.com/fhctl/fhctl/pkg/redisstream/resp"
)

// Follow what a server sends before a parser sees it.
func ExampleFollower() {
	f := resp.Follower{Limit: 64 << 10}

	n, err := f.Follow([]byte("+OK\r\n-ERR unknown command\r\n"))
	fmt.Println(n, err, f.Messages, f.Said())

	// An array that would take gigabytes before one of its elements has come.
	_, err = f.Follow([]byte("*1000000000\r\n"))
	var refused *resp.Error
	fmt.Println(errors.As(err, &refused) && refused.Large)
	fmt.Println("the server", err)
	// Output:
	// 27 <nil> 2 ERR unknown command
	// true
	// the server sends a message of more than 65536 bytes (it declares *1000000000)
}
