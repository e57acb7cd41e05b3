package fault_test

import (
	"fmt"
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
)

// Each remedy is found again in a sentence, and nothing else is.
func TestRemediesAreFoundAgain(t *testing.T) {
	for _, want := range []fault.Remedy{
		{Do: fault.Set, Setting: "max-stream-len"}, {Do: fault.Set, Setting: "max-stream-len", Value: "0"},
		{Do: fault.Set, Setting: "relay-url", Value: "wss://relay.example"},
		{Do: fault.MoveCursor}, {Do: fault.MoveCursor, Value: "oldest"}, {Do: fault.MoveCursor, Value: "7000000123"},
		{Do: fault.UndoMove}, {Do: fault.LookAtCursor}, {Do: fault.ListMoves}, {Do: fault.Examine}, {Do: fault.Ingest}, {Do: fault.Verify},
	} {
		for _, around := range []string{"%s", "first %s, then wait", "(%s)", "either %s; or stop it"} {
			var got []fault.Remedy
			said := fault.Spell(fmt.Sprintf(around, want), func(r fault.Remedy) string {
				got = append(got, r)
				return "X"
			})
			if len(got) != 1 || got[0] != want || said != fmt.Sprintf(around, "X") {
				t.Errorf("%q: %+v in %q, want %+v", fmt.Sprintf(around, want), got, said, want)
			}
		}
	}
	for _, plain := range []string{"", "check the address", "the settings of the relay", "removed the cursor", "settings at night"} {
		if got := fault.Spell(plain, func(fault.Remedy) string { return "X" }); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
}
