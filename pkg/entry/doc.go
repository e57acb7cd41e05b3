// Package entry maps an event to the data field of a stream entry, and back.
//
// Call [Append] to make the data of an event, [Parse] to read what it made, and
// [Outline.Read] to look at entries of any writer. [PartitionOf] tells which of several
// streams an account's entries are in.
//
// The shapes are those consumers parse (contract section 3). A commit is
// {"repo","ops"} with ops of {"action","path","cid","record"}; a delete has
// neither cid nor record; ops with a Skip reason are left out, and ops may be
// empty. An identity is {"did","handle"}, handle null when the relay gave none
// or one without the form of a handle, such as a DID. An
// account is {"did","active"} and status where the relay gave one. There are no
// other keys: type, seq, time and enriched would overwrite the envelope of one
// consumer.
package entry
