package fault

import (
	"cmp"
	"regexp"
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
	Ingest                     // start carrying events
	Verify                     // check what is stored
)

// sentences are the plain words of the actions that have no setting.
var sentences = map[Action]string{
	MoveCursor: "move the cursor", UndoMove: "undo the move of the cursor", LookAtCursor: "look at the cursor",
	ListMoves: "list the moves of the cursor", Examine: "examine this installation", Ingest: "start ingest", Verify: "verify the stream",
}

// To is the remedy of giving a setting a value, in words; an empty value leaves it to
// the reader.
func To(setting, value string) string {
	return Remedy{Do: Set, Setting: setting, Value: value}.String()
}

// CursorTo is the remedy of moving the cursor, in words, to a seq or one of the words
// that a place in a stream can be.
func CursorTo(value string) string { return Remedy{Do: MoveCursor, Value: value}.String() }

// String is the remedy in plain words: "the setting max-stream-len at 0", "move the
// cursor to oldest". Spell finds these words again.
func (r Remedy) String() string {
	switch {
	case r.Do == Set && r.Value == "":
		return "the setting " + r.Setting
	case r.Do == Set:
		return "the setting " + r.Setting + " at " + r.Value
	case r.Value != "":
		return sentences[r.Do] + " to " + r.Value
	}
	return sentences[r.Do]
}

// spelled matches what String writes.
var spelled = regexp.MustCompile(`\bthe setting ([a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?: at ([^\s,;()]*[^\s,;().:]))?|\b(` +
	strings.Join(longestFirst(), "|") + `)\b(?: to ([^\s,;()]*[^\s,;().:]))?`)

func longestFirst() []string {
	return []string{
		sentences[UndoMove], sentences[ListMoves], sentences[MoveCursor], sentences[LookAtCursor],
		sentences[Examine], sentences[Ingest], sentences[Verify],
	}
}

// Spell replaces each remedy in a text by what write makes of it.
func Spell(text string, write func(Remedy) string) string {
	return spelled.ReplaceAllStringFunc(text, func(words string) string {
		part := spelled.FindStringSubmatch(words)
		r := Remedy{Setting: part[1], Value: cmp.Or(part[2], part[4])}
		for do, sentence := range sentences {
			if part[3] == sentence {
				r.Do = do
			}
		}
		return write(r)
	})
}
