// Package place reads how people name a place in a stream, in a relay's window
// or in a recording: a seq, an entry's id, a moment, or a word such as oldest.
// Every command reads its places with [Parse], so that one text means the same
// everywhere. What a command can do with a place is its own matter: a relay knows
// no ids, and a stream is not live.
//
// [Parse] takes what this program prints: seqs, entry ids also with the partition
// before them, times of logs, tables and terminals, and spans such as "7.5 h".
//
// # Seqs and times
//
// Digits alone are a seq. Seconds, milliseconds and microseconds since 1970 look
// the same, and a cursor set to one would skip or repeat millions of events. So a
// number that such a clock shows between 2017 and a year from now is refused with
// both ways to say what is meant; "seq:N" is always a seq. [Text] prints a seq so
// that Parse takes it.
//
// # Times
//
// A time with a zone is that moment; without one it is local, as now's location
// says. A date is its first moment. A time of day is the last one that was so:
// "08:55" before that time of day is yesterday's. A duration is that long before
// now.
package place
