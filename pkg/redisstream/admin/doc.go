// Package admin changes cursors for an operator.
//
// Call [MoveCursor], or [MoveCursors] for all partitions of a set: one script compares
// the cursor with what the operator saw, notes what was there in the history, writes
// side key and cursor, and raises the epoch. A writer that runs meets another epoch with
// its next batch, stores nothing of it, and reads again from the new cursor. [History]
// tells what was changed.
//
// The history is a stream because an account made for fhctl has the commands of streams
// and none of lists. Its fields are before, side (the side key then), after, epoch,
// relay, how, by, undoes; empty is no cursor.
package admin
