package coverage_test

import (
	"fmt"
	"log"
	"time"

	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// Somebody asks for more than a stream has; coverage.BeginningOf finds where it begins.
func Example() {
	begins := coverage.Beginning{Seq: 7000000101, ID: "1767323045000-0"}
	newest := reader.Stored{ID: "1767323050000-0", Fields: []string{"type", "identity", "data", "{}", "seq", "7000000104"}}
	now := newest.ID.Time()
	for _, asked := range []struct{ from, to string }{{"7000000102", "7000000104"}, {"7000000100", "2026-01-02T03:05:00Z"}} {
		from, err := place.Parse(asked.from, now)
		if err != nil {
			log.Fatal(err)
		}
		to, err := place.Parse(asked.to, now)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(begins.Lacks(from, "the stream"))
		fmt.Println(coverage.LacksEnd(to, newest, 0, "the stream", now.Add(time.Second)))
	}
	// Output:
	// asked for from 7000000100 on, but the stream begins with seq 7000000101, stored 2026-01-02 03:04:05Z: what lies before is not covered
	// asked for up to 2026-01-02T03:05:00Z, but the stream ends with seq 7000000104, stored 2026-01-02 03:04:10Z: what is still to come is not covered
}
