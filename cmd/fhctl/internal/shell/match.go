package shell

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
)

// CheckActions names what is no action of an op.
func CheckActions(words []string) error {
	for _, word := range words {
		if _, ok := event.ParseAction(word); !ok {
			return UsageError(fmt.Errorf("flag --action: %q is not an action", word), "the actions are create, update and delete")
		}
	}
	return nil
}
