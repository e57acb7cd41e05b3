package fault_test

import (
	"fmt"
	"strings"
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
		{Do: fault.Moved}, {Do: fault.WatchRelay}, {Do: fault.Measure},
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
	for _, plain := range []string{"", "check the address", "the settings of the relay", "removed the cursor", "settings at night", "start ingest, or stop it", "leave the setting out to get its default", "move the cursor there first"} {
		if got := fault.Spell(plain, func(fault.Remedy) string { return "X" }); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
}

// An action with settings is one command, and its settings follow it. A setting that
// merely follows another remedy stays as it is.
func TestSettingsOfAnActionFollowIt(t *testing.T) {
	write := func(r fault.Remedy) string {
		return strings.TrimSpace(map[fault.Action]string{fault.Set: "--" + r.Setting, fault.MoveCursor: "cursor", fault.Ingest: "ingest"}[r.Do] + " " + r.Value)
	}
	ingest := fault.Remedy{Do: fault.Ingest}
	for said, want := range map[string]string{
		"start " + ingest.With("partitions", "4") + " once more":                                         "start ingest --partitions 4 once more",
		fault.CursorTo("5") + " with " + fault.To("relay", "HOST") + " with " + fault.To("force", ""):    "cursor 5 --relay HOST --force",
		"go on with " + fault.To("resume", "") + ", or " + ingest.String():                               "go on with --resume, or ingest",
		ingest.String() + " without " + fault.To("partitions", "") + " with " + fault.To("from", "live"): "ingest without --partitions with --from live",
	} {
		if got := fault.Spell(said, write); got != want {
			t.Errorf("%q became %q, want %q", said, got, want)
		}
	}
}
