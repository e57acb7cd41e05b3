package floor_test

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/redisstream/floor"
)

// A stream begins behind 99. Once groups have acknowledged up to 140, an operator moves the
// cursor back to 120: what lies behind that is read again.
func Example() {
	var f floor.Floor
	fmt.Printf("%q\n", f.Text())
	f.Began(99)
	f.Began(150) // it has begun already
	fmt.Printf("%q\n", f.Text())
	f.Seq = 140
	f = f.UpTo(120)
	fmt.Printf("%q\n", f.Text())
	fmt.Println(floor.Gone{From: 121, To: 140, Kept: 141})
	// Output:
	// ""
	// "99"
	// "120"
	// seq 121 to 140
}
