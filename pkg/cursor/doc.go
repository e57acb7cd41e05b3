// Package cursor plans a move of the saved cursor, carries it out, and tells how the
// cursor stands. Call [MakePlan] with a [reader.Reader] and [Options]: it returns a
// [Plan], which says what the move repeats or skips, and [Plan.Apply] carries it out.
// [Look] reports where the cursor stands, [History] what was changed of it on purpose.
//
// # Where a cursor can go
//
// A seq is taken as it is. A time, an id and the newest event are answered from the
// entries that are stored, for no relay can be asked for them. The cursor may also be
// taken from another key, from the same keys with another number of partitions, or back
// from the newest change. Of a set of partitions, all cursors go to the same place; what
// is reported is the lowest.
//
// # Whose it is
//
// A seq means something on one relay only. The cursor stays with the relay it belongs
// to, unless [Options].Relay says otherwise. Where somebody chose another relay for
// ingest than the cursor's, MakePlan refuses. A cursor that the Python bridge left is
// bsky.network's.
//
// # What is not changed
//
// MakePlan and Look change nothing. Apply changes what MakePlan saw, or nothing: each
// cursor is compared, moved and noted in the history by one script. A running writer
// would store on, so a fresh heartbeat is refused unless [Options].Force is set.
package cursor
