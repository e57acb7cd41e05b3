package script

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// The fields of Append are the arguments that the script's first comment describes, in
// that order and under names that tell which: a field that moves, or a number that is
// missing, would give a batch another meaning.
func TestAppendIsWhatTheScriptDescribes(t *testing.T) {
	comment, _, _ := strings.Cut(appendLua, "\n\n")
	_, comment, ok := strings.Cut(comment, "-- ARGV ")
	if !ok {
		t.Fatal("the script's first comment has no ARGV")
	}
	comment, _, _ = strings.Cut(comment, "\n--\n")
	words := []string{ // of the comment, by number, in the order of the fields
		"expected cursor", "jump", "start", "watermark", "MAXLEN", "LIMIT", "relay", "filter", "partitions", "adopt", "epoch",
		"side key", "the writer's id", "lease's ms", "trimmed", "other than us", "the id behind which",
	}
	kind := reflect.TypeFor[Append]()
	if kind.NumField() != len(words) {
		t.Fatalf("Append has %d fields, and %d arguments are described", kind.NumField(), len(words))
	}
	described := regexp.MustCompile(`(?:^|\n--\s+|  )(\d+)(\.\.\.)? `).FindAllStringSubmatchIndex(comment, -1)
	if len(described) != len(words)+1 {
		t.Fatalf("the comment describes %d arguments and the events, want %d", len(described)-1, len(words))
	}
	for i, at := range described {
		number, text := comment[at[2]:at[3]], comment[at[1]:]
		if i+1 < len(described) {
			text = comment[at[1]:described[i+1][0]]
		}
		if number != strconv.Itoa(i+1) {
			t.Fatalf("argument %d is described as %s", i+1, number)
		}
		if i < len(words) && !strings.Contains(text, words[i]) {
			t.Errorf("argument %s, %s, is described as %q", number, kind.Field(i).Name, text)
		}
	}
	if first := "local FIRST = " + strconv.Itoa(len(words)+1); !strings.Contains(appendLua, first) {
		t.Errorf("the script has not %q", first)
	}
}

// What Begin puts into a call points at the fields in their order.
func TestArgumentsAreInTheOrderOfTheFields(t *testing.T) {
	var k Call
	keys := Keys{Stream: "s", Cursor: "c", Side: "m", Lease: "l", Ledger: "g"}.KeyArgs()
	k.Begin(keys, 1, false)
	args := k.args[2+len(keys):]
	fields := reflect.ValueOf(&k.Append).Elem()
	if len(args) != fields.NumField() {
		t.Fatalf("%d arguments, %d fields", len(args), fields.NumField())
	}
	for i, arg := range args {
		if reflect.ValueOf(arg).Pointer() != fields.Field(i).Addr().Pointer() {
			t.Errorf("argument %d is not %s", i+1, fields.Type().Field(i).Name)
		}
	}
	if keys[0] != "5" || len(keys) != 6 {
		t.Errorf("keys are %v", keys)
	}
}

// Building a call allocates nothing once its memory is large enough.
func TestCallIsBuiltWithoutAllocating(t *testing.T) {
	keys := Keys{Stream: "s", Cursor: "c", Side: "m", Lease: "l"}.KeyArgs()
	var k Call
	data := []byte(`{"repo":"did:plc:x"}`)
	if n := testing.AllocsPerRun(100, func() {
		k.Append = Append{Expected: "1", Relay: "r", Policy: "{}", Side: append(k.Side[:0], "{"...)}
		k.Begin(keys, 500, false)
		for seq := range event.Seq(500) {
			k.Add(seq, event.KindCommit, data)
		}
		k.Forget()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseHeldRefusesWhatIsShort(t *testing.T) {
	held, err := parseHeld([]any{"g", int64(5), int64(1), "250", "1-1", "h", int64(6), int64(0), "", "0-0"})
	if err != nil || len(held) != 2 || held[0] != (Holder{"g", 5, 1, 250 * time.Millisecond, "1-1"}) || held[1].Idle != -1 {
		t.Fatalf("%v, %v", held, err)
	}
	for _, bad := range [][]any{{"g"}, {"g", "x", int64(1), "", ""}, {int64(1), int64(1), int64(1), "", ""}} {
		if _, err := parseHeld(bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
		if _, err := parseLosses(bad); err == nil {
			t.Errorf("%v was taken for losses", bad)
		}
	}
}

// Each word of the scripts is a Status, and each Status a word of some script.
func TestStatusesAreTheScriptsWords(t *testing.T) {
	texts := appendLua + roomLua + restoreLua + rebaseLua + refilterLua + leaseLua + moveLua
	said := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?:return (?:reply\(|\{)|status = |status, rows, trouble = )'([A-Z]+)'|status(?:, rows)? = '([A-Z]+)'`).FindAllStringSubmatch(texts, -1) {
		said[found[1]+found[2]] = true
	}
	for word := range said {
		if s, err := statusOf(word); err != nil || s.String() != word {
			t.Errorf("%s: %v, %v", word, s, err)
		}
	}
	for s, word := range statuses {
		if s > 0 && !said[word] {
			t.Errorf("no script says %s", word)
		}
	}
	if _, err := statusOf("OTHER"); err == nil {
		t.Error("another word is taken for a status")
	}
	if _, err := statusOf(""); err == nil {
		t.Error("no word is taken for a status")
	}
}
