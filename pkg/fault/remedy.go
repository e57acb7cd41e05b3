package fault

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Remedy is something that whoever runs the program can do about an error. A library
// puts it into a hint, an alarm or a report as its String, in plain words; who shows
// that text passes it through [Spell] and says how this is done there: a command
// writes a flag, or one of its own commands.
type Remedy struct {
	Do      Action
	Setting string // of Set: its name, as docs/configuration.md has it
	Value   string // of Set and MoveCursor; "" leaves it to the reader
}

// Action is what a remedy does.
type Action uint8

// The actions.
const (
	Set          Action = iota // give a setting a value
	MoveCursor                 // move the saved cursor
	UndoMove                   // take back the newest move of the cursor
	LookAtCursor               // print the saved cursor
	ListMoves                  // list the moves of the cursor
	Examine                    // examine relay, Redis and stream
	Ingest                     // carry events: what does it, as a noun
	Verify                     // check what is stored
	Moved                      // that an operator moved the cursor, as a noun
	WatchRelay                 // print what the relay sends
	Measure                    // print figures of the stream and its groups
)

// sentences are the plain words of the actions that have no setting. Sentences of
// other texts must not contain them by chance.
var sentences = map[Action]string{
	MoveCursor: "move the saved cursor", UndoMove: "undo the move of the saved cursor", LookAtCursor: "look at the saved cursor",
	ListMoves: "list the moves of the saved cursor", Examine: "examine this whole installation", Ingest: "the ingest command", Verify: "verify the stored stream",
	Moved: "an operator's move of the saved cursor", WatchRelay: "watch the relay itself", Measure: "measure the stored stream",
}

// To is the remedy of giving a setting a value, in words; an empty value leaves it to
// the reader.
func To(setting, value string) string {
	return Remedy{Do: Set, Setting: setting, Value: value}.String()
}

// CursorTo is the remedy of moving the cursor, in words, to a seq or one of the words
// that a place in a stream can be.
func CursorTo(value string) string { return Remedy{Do: MoveCursor, Value: value}.String() }

// With is the remedy in words, done with a setting at a value. More settings follow as
// further text: " with " and To.
func (r Remedy) With(setting, value string) string { return r.String() + with + To(setting, value) }

const with = " with "

// String is the remedy in plain words: the setting "max-stream-len" at 0, move the saved
// cursor to oldest. Spell finds these words again.
func (r Remedy) String() string {
	switch {
	case r.Do == Set && r.Value == "":
		return "the setting " + quoted(r.Setting)
	case r.Do == Set:
		return "the setting " + quoted(r.Setting) + " at " + r.Value
	case r.Value != "":
		return sentences[r.Do] + " to " + r.Value
	}
	return sentences[r.Do]
}

// quoted keeps the name of a setting apart from words: "leave the setting out" names none.
func quoted(name string) string { return `"` + name + `"` }

// spelled matches what String writes.
var spelled = regexp.MustCompile(`\bthe setting "([a-z][a-z0-9]*(?:-[a-z0-9]+)*)"(?: at ([^\s,;()]*[^\s,;().:]))?|\b(` +
	strings.Join(longestFirst(), "|") + `)\b(?: to ([^\s,;()]*[^\s,;().:]))?`)

func longestFirst() []string {
	words := slices.Collect(maps.Values(sentences))
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	return words
}

// Spell replaces each remedy in a text by what write makes of it. What With adds to an
// action follows it behind a blank.
func Spell(text string, write func(Remedy) string) string {
	var out strings.Builder
	end, action := 0, false // of the remedy before
	for _, at := range spelled.FindAllStringIndex(text, -1) {
		part := spelled.FindStringSubmatch(text[at[0]:at[1]])
		r := Remedy{Setting: part[1], Value: cmp.Or(part[2], part[4])}
		for do, sentence := range sentences {
			if part[3] == sentence {
				r.Do = do
			}
		}
		between := text[end:at[0]]
		if action = r.Do != Set || action && between == with; action && r.Do == Set {
			between = " "
		}
		out.WriteString(between + write(r))
		end = at[1]
	}
	return out.String() + text[end:]
}
