// Package rejects keeps frames that could not be decoded, with the reason and
// the seq, so that a person can look at what a relay really sent.
//
// Call [Open], then [Store.Keep] for each frame, and [Store.Close].
//
// # Layout
//
// A directory holds one file per frame, named SEQ-REASON-N.frame: the seq in 16
// digits or "noseq", the reason as metrics name it, and a number that rises by
// one with each file. The file is the WebSocket message, byte for byte. Beside
// them, index.jsonl has one JSON object per line; see [Line].
//
// Files are 0600. A directory that Open makes is 0700. Everything is opened
// beneath the directory, never through a link. One process uses a directory at
// a time.
//
// # Looking at one
//
//	tail -n 5 index.jsonl | jq .
//	xxd 0000007000000123-car-42.frame | head
//
// A frame is two CBOR maps, header then payload, so any tool that reads a CBOR
// sequence shows it. Frames hold what strangers wrote: print them escaped.
//
// # Bounds
//
// Files and index lines together stay within [Config.MaxBytes] and their number
// within Config.MaxFiles; the oldest go first. What an earlier run kept is
// adopted and counts. A frame above 5,000,000 bytes, or above MaxBytes, gets an
// index line but no file.
//
// A flood stays cheap. A frame whose bytes and reason are kept already is only
// counted; its index line is written anew at 2, 4, 8, ... repeats, and the last
// line of a file is the one that holds. New frames of one reason may come in a
// burst of 2,000 and then at 100 a second; those above are counted, and the next
// line of that reason says how many there were. After a failed write nothing is
// tried for 5 seconds.
package rejects
