// Package reader looks at streams, their groups and their cursors. It changes nothing,
// joins no group, and works on a replica.
//
// Call [Open]. [Reader.Range] yields entries between two ids, [Reader.Follow] those that
// come, [Reader.SeekSeq] finds an entry by its seq in a few exchanges. [Reader.Cursor]
// tells where writers stand and whose numbers they count, [Reader.Groups] how far
// consumers are.
//
// A set of partitions is read as one stream, in the order of seqs: Config.Partitions.
//
// A page of entries is bounded in bytes, since an entry may be large: an entry that
// fills a page comes alone, and methods that only want ids and seqs cut long values.
package reader
