// Package audit checks what is stored, and changes nothing: [Stream] a Redis stream and
// its cursor, [Capture] a recording, [Against] one stream by another. Each takes a
// [Stretch] and [Options], hands what it reads to package verify, whose rules say what is
// wrong, and returns a [Summary].
//
// # What is read
//
// A stretch without ends is everything that was stored when the audit began. A writer may
// go on meanwhile: what it appends is not read, and the cursor is read around the last
// entry and with the notes its writer left, so that a sound stream gives no finding.
// Where the cursor is ahead of an entry that is on its way, the audit waits for it, two
// seconds at most. The cursor is judged only where the stretch goes up to the stream's
// end.
//
// Of a set of partitions, everything is read in the order of seqs. Gaps count from where
// no partition was trimmed to where every one has come.
//
// # What is no verdict
//
// Where nothing was read there is no Summary, but an error: [Nothing] where the stretch
// holds nothing, [MissingStream], [ErrItself], or what Redis or the file answered. An error
// beside a Summary ended the audit early, and the Summary is about what was read until
// then. Findings are no error: ask the Summary whether it is Clean.
package audit
