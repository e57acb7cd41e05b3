package lease_test

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/redisstream/lease"
)

// A standby takes over from a leader that has gone, and with it the cursor.
func Example() {
	l := lease.New("fhctl/host-2")
	for _, answer := range []lease.Answer{lease.Led, lease.Led, lease.GivenNoCursor, lease.Given} {
		fmt.Printf("%s: %s\n", answer, l.Take(answer))
		fmt.Println(l.State())
	}
	// Output:
	// another leads: follow
	// following
	// another leads: follow
	// following
	// given, no cursor: restore the cursor; alarm `cursor_missing`
	// leading
	// given: –
	// leading
}
