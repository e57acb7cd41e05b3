package fault_test

import (
	"errors"
	"fmt"

	"github.com/fhctl/fhctl/pkg/fault"
)

// A library classes an error where it knows the cause. Wrapping keeps class and hint.
func Example() {
	cause := errors.New("connection refused")
	err := fault.New(fault.Unreachable, fmt.Errorf("connecting to Redis: %w", cause), "see whether it is running")
	err = fmt.Errorf("opening the stream: %w", err)

	fmt.Println(err)
	fmt.Println(fault.ClassOf(err), "-", fault.HintOf(err))
	fmt.Println(errors.Is(err, cause))
	fmt.Println(fault.ClassOf(cause)) // nobody classed it
	// Output:
	// opening the stream: connecting to Redis: connection refused
	// unreachable - see whether it is running
	// true
	// internal
}

func ExampleRedact() {
	fmt.Println(fault.Redact("redis://user:secret@redis.example:6379/0"))
	// Output: redis://user:***@redis.example:6379/0
}
