package lease

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/pairs.md shows the table that the code follows, row by row.
func TestPairsPageShowsTheTable(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "pairs.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "<!-- the lease's table: pkg/redisstream/lease compares it with the code -->\n")
	if !ok {
		t.Fatal("docs/pairs.md has no table of the lease")
	}
	var shown []string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		shown = append(shown, strings.TrimSpace(line))
	}
	want := page()
	for i := range max(len(want), len(shown)) {
		switch {
		case i >= len(shown):
			t.Errorf("docs/pairs.md lacks: %s", want[i])
		case i >= len(want):
			t.Errorf("docs/pairs.md has, and the code has not: %s", shown[i])
		case shown[i] != want[i]:
			t.Errorf("docs/pairs.md has %s\nthe code has      %s", shown[i], want[i])
		}
	}
}

// page is the table for people: a row for each answer, a column for each state.
func page() []string {
	head, line := "| Redis answers |", "| --- |"
	for s := range table {
		head += " **" + State(s).String() + "** |"
		line += " --- |"
	}
	rows := []string{head, line}
	for a := range answers {
		row := "| " + a.String() + " |"
		for s := range table {
			step := Table(State(s), a)
			row += " " + step.Next.String()
			if step.Do != Nothing {
				row += ": " + step.Do.String()
			}
			row += " |"
		}
		rows = append(rows, row)
	}
	return rows
}

// Whoever follows or leads and is given the lease leads; who is told of another leader
// follows, whatever the state; and only one that led tells its caller to stand by.
func TestTableKeepsToTheRules(t *testing.T) {
	for s := range State(len(table)) {
		for a := range answers {
			step := Table(s, a)
			switch {
			case a <= GivenDisputed && step.Next != Leading:
				t.Errorf("%s, %s: does not lead", s, a)
			case (a == Led || a == LedLower) && step.Next != Following:
				t.Errorf("%s, %s: does not follow", s, a)
			case (step.Do == StandBy) != (s == Leading && (a == Led || a == LedLower)):
				t.Errorf("%s, %s: %s", s, a, step.Do)
			case s != Idle && s != Leading && a > LedLower && step.Next == Leading:
				t.Errorf("%s, %s: leads without the lease", s, a)
			case a == GivenLower && s != Idle && step.Do != GoBack:
				t.Errorf("%s, %s: a rollback passes unnoticed", s, a)
			case a == GivenNoCursor && s != Idle && step.Do != Restore:
				t.Errorf("%s, %s: a cursor that is gone passes unnoticed", s, a)
			}
		}
	}
}

// One that takes no part leads, whatever it hears.
func TestWithoutAName(t *testing.T) {
	l := New("")
	if l.Take(Led) != Nothing || !l.Leads() || l.Followed() {
		t.Errorf("%+v", l)
	}
}
