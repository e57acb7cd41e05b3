// Package block turns a record, as the JSON of a stream entry has it, back into the
// DAG-CBOR block that it came from, and names the CID of that block. A record whose CID is
// its op's is exactly what the author signed.
//
// Read the data of an entry with [Tape.Parse], or a record alone with [Tape.ParseRecord];
// then call [Encoder.CID] with the node of a record and the [Form] in which it is to be
// read. Forms undo what writers do to records: other keys first, nulls, snake_case.
//
// # Memory
//
// A tape takes 4 MiB at most for data as a whole: of larger data it holds what stands
// around the records, and each record is read by itself. A block takes as much as a
// record may have (dagcbor.MaxRecord): what is larger has no encoding, and Encoder.Large
// says so.
package block
