package shell

import (
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
)

// What libraries advise is typed as it stands.
func TestRemediesAreTyped(t *testing.T) {
	for advice, want := range map[string]string{
		"raise " + fault.To("max-stream-len", ""):          "raise --max-stream-len",
		"write " + fault.To("partitions", "4"):             "write --partitions 4",
		fault.CursorTo("oldest") + ", see docs/runbook.md": "fhctl cursor set oldest, see " + Documents() + "runbook.md",
		"then " + fault.Remedy{Do: fault.MoveCursor}.With("partitions", "3") + " with " + fault.To("from-partitions", "2") + " (docs": "then fhctl cursor set --partitions 3 --from-partitions 2 (docs",
		"only if it is: " + fault.Remedy{Do: fault.MoveCursor, Value: "SEQ"}.With("relay", "localhost:8080"):                          "only if it is: fhctl cursor set SEQ --relay localhost:8080",
		"first " + fault.Remedy{Do: fault.Examine}.String() + ".":                                                                     "first fhctl doctor.",
	} {
		if got := Spell(advice); got != want {
			t.Errorf("%q became %q, want %q", advice, got, want)
		}
	}
	for do := fault.MoveCursor; do <= fault.Measure; do++ {
		if commandOf[do] == "" {
			t.Errorf("no command for %q", fault.Remedy{Do: do})
		}
	}
}
