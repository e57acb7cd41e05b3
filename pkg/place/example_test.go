package place_test

import (
	"fmt"
	"log"
	"time"

	"github.com/fhctl/fhctl/pkg/place"
)

func ExampleParse() {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for _, text := range []string{"7000000123", "1767225600000-0", "08:55", "10m", "oldest"} {
		p, err := place.Parse(text, now)
		if err != nil {
			log.Fatal(err)
		}
		switch p.Kind {
		case place.Seq:
			fmt.Println("seq", p.Seq)
		case place.ID:
			fmt.Println("entry", p.ID)
		case place.Time:
			fmt.Println("time", p.Time.Format(time.RFC3339))
		default:
			fmt.Println(p)
		}
	}

	_, err := place.Parse("1767225600", now) // a seq, or seconds since 1970?
	fmt.Println(err)
	// Output:
	// seq 7000000123
	// entry 1767225600000-0
	// time 2026-01-02T08:55:00Z
	// time 2026-01-02T14:54:05Z
	// oldest
	// "1767225600" may be a seq or seconds since 1970
}
