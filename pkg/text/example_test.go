package text_test

import (
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/text"
)

// One line of a report: what somebody else wrote is escaped.
func Example() {
	name := "workers\x1b[2J"
	fmt.Printf("%s: %s, %s, oldest %s\n", text.Escape(name), text.Counted(1200, "entry"), text.Bytes(3<<20), text.Span(450*time.Second))
	// Output: workers\x1b[2J: 1,200 entries, 3.0 MiB, oldest 8 min
}
