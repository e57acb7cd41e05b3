// Package script runs the scripts that change stream and cursor within Redis, each in
// one step, and the few that only look.
//
// Fill in the [Append] of a [Call] and [Send] it to store a batch. The other scripts
// are one type each, whose fields are the script's arguments and whose Run asks the
// server once: [Lease], [Rebase], [Refilter], [Restore], [Move], [AskRoom], [Scan], and
// the functions [Find] and [Removed]. What they answer is a [Status].
//
// The scripts are in the folder lua. The first comment of each says what its keys,
// arguments and reply are. common.lua is put before each of them; retention.lua, which
// decides what may be trimmed, before append and room.
//
// Nothing here waits or tries again: a lost reply is the caller's to repeat, and all of
// the scripts can be repeated. [Side] is what they keep beside the cursor, [CheckRights]
// tells which of their commands the Redis user may not run.
package script
