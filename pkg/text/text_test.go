package text_test

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/text"
)

const scotland = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"hej, världen 🐈 日本語":              "hej, världen 🐈 日本語",
		"a\nb\r\tc":                       `a\nb\r\tc`,
		"\x00\x07\x7f":                    `\x00\x07\x7f`,
		"\x1b[2J\x1b]0;title\x07":         `\x1b[2J\x1b]0;title\x07`,
		"c1 \u0085\u009b31m":              `c1 \u0085\u009b31m`,
		"raw \x9b\xff":                    `raw \x9b\xff`,
		"cut \xe2\x82":                    `cut \xe2\x82`,
		"\u202egnp.exe\u202c":             `\u202egnp.exe\u202c`,
		"\u2066a\u2069\u200f\u061c\u200e": `\u2066a\u2069\u200f\u061c\u200e`,
		"a\u2028b\u2029c":                 `a\u2028b\u2029c`,
		"zero\u200bwidth\ufeff":           `zero\u200bwidth\ufeff`,
		"tag \U000e0041":                  `tag \U000e0041`,
		"👩\u200d💻 می\u200cخواهم":          "👩\u200d💻 می\u200cخواهم",
		`back\slash \n`:                   `back\slash \n`,
		"\ufffd":                          "\ufffd",
		scotland + " wins":                scotland + " wins",
		"🏴" + scotland[4:len(scotland)-4]: `🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074`,
		"🏴\U000e0067\U000e0062\U000e007f": `🏴\U000e0067\U000e0062\U000e007f`,
		scotland + "\U000e0067":           scotland + `\U000e0067`,
	} {
		if got := text.Escape(in); got != want {
			t.Errorf("Escape(%+q) = %+q, want %+q", in, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[31m\u202e\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := text.Escape(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%+q is not UTF-8", got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
				t.Fatalf("%+q lets %U through", got, r)
			}
		}
		if again := text.Escape(got); again != got {
			t.Fatalf("twice gives %+q, once %+q", again, got)
		}
	})
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 12345: "12,345", 7000000123: "7,000,000,123",
		-1: "-1", -1000: "-1,000", -1 << 63: "-9,223,372,036,854,775,808",
	} {
		if got := text.Thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0.0 s", 0: "0.0 s", 1234 * time.Millisecond: "1.2 s", 9960 * time.Millisecond: "10 s",
		35 * time.Second: "35 s", 119 * time.Second: "119 s", 4 * time.Minute: "4 min", 119 * time.Minute: "119 min",
		7*time.Hour + 30*time.Minute: "7.5 h", 75 * time.Hour: "3.1 d",
	} {
		if got := text.Span(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestAbout(t *testing.T) {
	if got := text.About(1200, true) + ", " + text.About(1200, false); got != "1,200, about 1,200" {
		t.Error(got)
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int]string{-1: "-1 replicas, -1 entries", 0: "0 replicas, 0 entries", 1: "1 replica, 1 entry", 2000: "2,000 replicas, 2,000 entries"} {
		if got := text.Counted(n, "replica") + ", " + text.Counted(n, "entry"); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		-1: "0 B", 0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1<<20 - 1: "1.0 MiB", 3 << 29: "1.5 GiB", math.MaxInt64: "8192.0 PiB",
	} {
		if got := text.Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestLasting(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0.0 s", 800 * time.Millisecond: "0.8 s", 35 * time.Second: "35 s", 125 * time.Second: "2 min 05 s",
		90 * time.Minute: "1 h 30 min", 76 * time.Hour: "3 d 4 h",
	} {
		if got := text.Lasting(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestClipAndShorten(t *testing.T) {
	continuations := strings.Repeat("\x80", 9)
	for _, tc := range []struct {
		text          string
		most          int
		clip, shorten string
	}{
		{"", 0, "", ""}, {"abc", 3, "abc", "abc"}, {"abcd", 3, "abc", "abc…"}, {"abc", 0, "", "…"},
		{"aé", 2, "a", "a…"}, {"日本", 4, "日", "日…"}, {"日本", 2, "", "…"}, {"🐈🐈", 7, "🐈", "🐈…"}, {"a🐈", 2, "a", "a…"},
		{continuations, 5, continuations[:5], "…"}, {continuations, 2, continuations[:2], "…"}, {"a\xffbc", 3, "a\xffb", "ab…"},
	} {
		if clip, shorten := text.Clip(tc.text, tc.most), text.Shorten(tc.text, tc.most); clip != tc.clip || shorten != tc.shorten {
			t.Errorf("%q to %d: %q and %q, want %q and %q", tc.text, tc.most, clip, shorten, tc.clip, tc.shorten)
		}
	}
}

func BenchmarkEscapeClean(b *testing.B) {
	clean := strings.Repeat("plain text ", 20)
	for b.Loop() {
		text.Escape(clean)
	}
}
