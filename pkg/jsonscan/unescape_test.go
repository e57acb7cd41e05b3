package jsonscan_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/jsonscan"
)

// FuzzUnescape: strings say what encoding/json reads in them.
func FuzzUnescape(f *testing.F) {
	for _, raw := range []string{
		``, `a`, `\"\\\/\b\f\n\r\t`, `å\u00e5\u0001`, `\ud83d\ude00`, `\ud83d`, `\ud83dx`, `\ud83d\n`, `\ude00\ud83d`, `\ud83d\ud83d\ude00`, `\ud83d\u0041`, `\uD83D\uDE00`, `\uFFFD`, `a\u0000`,
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var want string
		if !utf8.ValidString(raw) || json.Unmarshal([]byte(`"`+raw+`"`), &want) != nil {
			return
		}
		if got := jsonscan.Unescape(raw); got != want {
			t.Errorf("%s says %q, want %q", raw, got, want)
		}
		if got := string(jsonscan.AppendUnescaped([]byte("x"), raw)); got != "x"+want {
			t.Errorf("%s appended says %q, want %q", raw, got, want)
		}
	})
}

// A DID of two million escapes takes the memory of what it says.
func TestUnescapeTakesTheMemoryOfItsResult(t *testing.T) {
	if n := testing.AllocsPerRun(10, func() { jsonscan.Unescape(`\u0001\ud83d\ude00\ud83d`) }); n != 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}
