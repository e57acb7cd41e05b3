package output

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/text"
)

func TestTableAligns(t *testing.T) {
	table := Table{Right: []int{1}}
	table.Add("GROUP", "LAG", "NOTE")
	table.Add("workers", "1,234", "")
	table.Add("日本", "7", "fine")
	table.Add("a\x1b[2Jb\n", "12")
	want := "  GROUP          LAG  NOTE\n" +
		"  workers      1,234\n" +
		"  日本             7  fine\n" +
		`  a\x1b[2Jb\n     12`
	if got := strings.Join(table.Lines("  "), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if lines := (&Table{Right: []int{9}}).Lines(""); len(lines) != 0 {
		t.Errorf("an empty table has %q", lines)
	}
}

func TestWidthAndCut(t *testing.T) {
	for _, tc := range []struct {
		text    string
		columns int
		want    string
	}{
		{"plain", 5, "plain"}, {"plain", 4, "pla…"}, {"▁▂▃█", 4, "▁▂▃█"}, {"日本語", 5, "日本…"},
		{"e\u0301a", 2, "e\u0301a"}, {"ab", 1, "…"}, {"ab", 0, ""}, {"", 0, ""},
	} {
		if got := Cut(tc.text, tc.columns); got != tc.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tc.text, tc.columns, got, tc.want)
		}
	}
}

// Emoji of several code points, as posts have them, with the columns that
// terminals give them.
var pictures = map[string]int{
	"👨‍👩‍👧‍👦": 2, "👍🏽": 2, "❤️": 2, "🇸🇪": 2, "🏳️‍🌈": 2, "👩🏾‍🚀": 2, "😀": 2, "⌚": 2, "☀️": 2, "1️⃣": 2,
	"❤": 1, "é": 1, "e\u0301": 1, "日": 2, "ｶ": 1, "한": 2, "각": 2, "नि": 2, "…": 1, "▁": 1, "x": 1,
}

func TestWidthOfWhatPeopleWrite(t *testing.T) {
	for text, want := range pictures {
		if got := Width(text); got != want {
			t.Errorf("Width(%q, %+q) = %d, want %d", text, text, got, want)
		}
		if got := Width("ab" + text + "cd"); got != want+4 {
			t.Errorf("Width of %q between letters = %d, want %d", text, got, want+4)
		}
		if got := Cut(text+text+text, 2*want); got != text+"…" && want > 1 {
			t.Errorf("Cut(%q, %d) = %q: a character is cut in two", text+text+text, 2*want, got)
		}
		if got := cutHead(text+text+text, 2*want); got != "…"+text && want > 1 {
			t.Errorf("cutHead(%q, %d) = %q", text+text+text, 2*want, got)
		}
		for columns := range 8 {
			for _, got := range []string{Cut(text+"abc"+text, columns), cutHead(text+"abc"+text, columns)} {
				if Width(got) > columns {
					t.Errorf("%q takes %d columns, not %d", got, Width(got), columns)
				}
			}
		}
	}
	var table Table
	for picture := range pictures {
		table.Add(text.Escape(picture), "|")
	}
	for _, line := range table.Lines("") {
		if before, _, _ := strings.Cut(line, "|"); Width(before) != 4 {
			t.Errorf("the second column of %q begins after %d columns", line, Width(before))
		}
	}
}

func TestSparkline(t *testing.T) {
	nan := math.NaN()
	for _, tc := range []struct {
		values []float64
		width  int
		want   string
	}{
		{nil, 5, ""}, {[]float64{1, 2}, 0, ""}, {[]float64{0, 0}, 5, "▁▁"},
		{[]float64{0, 0.001, 50, 100}, 5, "▁▂▅█"}, {[]float64{nan, 100, -3}, 5, " █▁"},
		{[]float64{9000, 1, 1}, 2, "██"}, // what is not drawn does not scale
		{[]float64{1, 2}, -1, ""},
	} {
		if got := Sparkline(tc.values, tc.width); got != tc.want {
			t.Errorf("Sparkline(%v, %d) = %q, want %q", tc.values, tc.width, got, tc.want)
		}
	}
}

func TestScreenCoversWhatItDrew(t *testing.T) {
	var out bytes.Buffer
	s := &Screen{Out: &out, Size: func() (int, int) { return 10, 4 }}
	draw := func(want string, rows ...Row) {
		t.Helper()
		out.Reset()
		if err := s.Draw(rows); err != nil || out.String() != want {
			t.Errorf("drew %q (%v), want %q", out.String(), err, want)
		}
	}
	draw("\rone\x1b[K\nlonger t…\x1b[K\n\x1b[J", Row{Text: "one"}, Row{Text: "longer text"})
	draw("\x1b[2A\rtwo\x1b[K\n\x1b[J", Row{Text: "two"})
	draw("\x1b[1A\ra\x1b[K\nb\x1b[K\n… 3 more…\x1b[K\n\x1b[J", Row{Text: "a"}, Row{Text: "b"}, Row{Text: "c"}, Row{Text: "d"}, Row{Text: "e"})
	s.Leave()
	s.Color = true
	draw("\r\x1b[31mbad\x1b[0m\x1b[K\n\x1b[J", Row{Text: "bad", Tone: Bad})
}

func TestWriteRows(t *testing.T) {
	var out bytes.Buffer
	rows := []Row{{"a", Head}, {"", Bad}, {"b", Plain}}
	if err := WriteRows(&out, rows, true); err != nil || out.String() != "\x1b[1ma\x1b[0m\n\nb\n" {
		t.Errorf("in colour: %q, %v", out.String(), err)
	}
	out.Reset()
	if err := WriteRows(&out, rows, false); err != nil || out.String() != "a\n\nb\n" {
		t.Errorf("without: %q, %v", out.String(), err)
	}
}

// A name that is too long for the terminal gives way, and not the numbers beside it.
func TestTableShortensNames(t *testing.T) {
	long := "a-group-with-a-name-that-is-far-too-long-for-any-terminal-7"
	rows := func(most int) []string {
		table := Table{Right: []int{1}, Most: most}
		table.Add("GROUP", "LAG")
		table.Add(long, "1,234,567")
		table.Add("short", "1")
		return table.Lines("  ")
	}
	for most, want := range map[int]int{0: 2 + len(long) + 2 + 9, 100: 2 + len(long) + 2 + 9, 40: 40, 10: 2 + 12 + 2 + 9} {
		lines := rows(most)
		if w := Width(lines[1]); w != want {
			t.Errorf("at %d columns: %d: %q", most, w, lines[1])
		}
		if !strings.HasSuffix(lines[1], "1,234,567") || !strings.HasPrefix(lines[1], "  a-gr") || !strings.Contains(lines[1], "-7 ") {
			t.Errorf("at %d columns: %q", most, lines[1])
		}
	}
}

// On a narrow terminal an event's text is still seen.
func TestNarrowColumnsShowText(t *testing.T) {
	e := &Event{Kind: "commit"}
	if err := e.Outline.Read(`{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[{"action":"create","path":"app.bsky.feed.post/3kaaaaaaaaa2a","cid":"x","record":{"$type":"app.bsky.feed.post","text":"hello world"}}]}`); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{60, 75, 80} {
		c := Columns{Width: func() int { return width }}
		line := string(c.Append(nil, e))
		if !strings.Contains(line, "hello") || Width(strings.TrimSuffix(line, "\n")) > width {
			t.Errorf("at %d columns: %q", width, line)
		}
	}
}
