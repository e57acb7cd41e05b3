package observe_test

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/observe"
)

// stored prints what a pipeline stored.
type stored struct{ observe.Silent }

func (stored) Stored(b *event.Batch, r event.Receipt) {
	fmt.Println(r.Appended, "entries, cursor", r.Cursor)
}

// An observer names what it wants to hear of, and nothing else.
func Example() {
	var all event.Observer = observe.Observers{stored{}, observe.Silent{}}
	all.Alarm(event.AlarmForeign, 5, "heard by nobody")
	all.Stored(&event.Batch{Upto: 7}, event.Receipt{Appended: 2, Cursor: 7})
	// Output: 2 entries, cursor 7
}
