// Package redisstream stores events in a Redis stream and owns the cursor beside it.
//
// To store, call [Open], [Writer.Resume] and [Writer.Commit]; [OpenPartitions] stores in
// several streams at once, and [OpenSink] is either. The packages below make a set of
// partitions (partitions), find what other writers did (strangers), know how far groups
// have come (floor), ask a server at a start (preflight), look at what is stored
// (reader), move the cursor for an operator (admin), keep the dashboard's keys
// (dashboard), decide who leads (lease), run the scripts (script) and connect (conn).
//
// # What is stored where
//
//	Config.StreamKey          stream   entries type, data, seq, in relay order
//	Config.CursorKey          string   the last stored seq, plain decimal
//	Config.CursorKey:meta     string   one JSON object, the side key: relay,
//	                                   filter, partitions, from, eventTime, epoch
//	Config.CursorKey:lease    string   which of several writers leads; 1.5 s
//	Config.CursorKey:history  stream   what operators changed, the last 100
//	Config.CursorKey:losses   stream   what groups lost to trimming, the ledger
//	firehose:status           string   see package dashboard
//	firehose:recent_events    string   see package dashboard
//
// The cursor is what the Python bridge wrote and can read again. The side key
// says whose cursor it is: a seq means nothing on another relay, and a stream
// filtered differently has other gaps. Its epoch counts the times the cursor
// was moved on purpose, so that a writer notices a move that its next batch
// would otherwise mistake for its own earlier try.
//
// # Writer
//
// One script stores a batch: it compares, appends what the cursor does not
// cover, and moves the cursor exactly as far as it appended. Whatever was lost
// on the way, sending the same batch again is right. Writer does so until its
// context ends, for every fault that passes by itself; what does not pass is a
// final error with a class of package fault:
//
//	fault.Cursor    the cursor is not a number, or another relay's
//	fault.Refused   credentials or rights are missing, or were withdrawn
//	fault.Data      a key has the wrong type, or an entry cannot be appended
//	fault.Usage     settings that cannot work
//
// When the cursor is not where the batch continues from, nothing of the batch
// is stored and Commit returns an *event.Moved.
//
// # Lease
//
// Several Writers may share a stream; the script alone makes that exact. So that
// they need not all decode everything, one of them leads: the script takes and
// renews a lease with each batch, and answers the others that they are led
// (*event.Led). Nothing rests on the lease: whoever wrongly believes to hold it
// is stopped by the comparison of cursors. Who wraps several Writers, as for
// partitions, gives one of them a Config.Writer and lets it decide for all.
//
// # An operator's move
//
// A running Writer meets another epoch with its next batch, stores nothing of it, and
// reads again from the new cursor. Removing cursor and side key means live for the next
// cold start only: a running Writer restores them (Commit).
//
// # Retention
//
// A stream at Config.MaxLen is trimmed by the script that appends, exactly and
// last. With Trim the script counts, entry by entry, what each group loses
// unread or pending; the receipt tells it, with the first and last seq, and the
// same script notes it in the ledger. Its lines have the fields group, unread,
// pending, from, to, kept (the oldest seq left) and since (ms); a line that
// grows is written anew, so that their sum is exact at any moment. About a
// thousand are kept.
//
// With Block or Wait nothing leaves that a group still needs: from its last
// delivered or oldest pending entry on, whichever is lower. While the slowest
// group is more than MaxLen entries behind, the script replies FULL and appends
// nothing. A group lapses when none of its consumers has asked for
// Config.GroupTimeout; one without consumers, when that long has passed since
// this Writer first found it holding the stream. What a lapsed group loses is
// counted as with Trim. Without groups the stream is trimmed as ever.
package redisstream
