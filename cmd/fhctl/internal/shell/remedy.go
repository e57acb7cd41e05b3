package shell

import "github.com/fhctl/fhctl/pkg/fault"

// commandOf is the command of each remedy that is one.
var commandOf = map[fault.Action]string{
	fault.MoveCursor: "fhctl cursor set", fault.UndoMove: "fhctl cursor set --undo", fault.LookAtCursor: "fhctl cursor get",
	fault.ListMoves: "fhctl cursor history", fault.Examine: "fhctl doctor", fault.Ingest: "fhctl ingest", fault.Verify: "fhctl verify",
	fault.Moved: "fhctl cursor set", fault.WatchRelay: "fhctl tail --source relay", fault.Measure: "fhctl stream stats",
}

// Spell writes the remedies that a library speaks of as flags and commands, and gives
// the documents it names by address.
func Spell(text string) string { return WithAddresses(Typed(text)) }

// Typed writes remedies as flags and commands, as somebody types them.
func Typed(text string) string {
	return fault.Spell(text, func(r fault.Remedy) string {
		typed := commandOf[r.Do]
		if r.Do == fault.Set {
			typed = "--" + r.Setting
		}
		if r.Value != "" {
			typed += " " + r.Value
		}
		return typed
	})
}
