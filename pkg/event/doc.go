// Package event is the vocabulary of the pipeline: what a relay sends, what a
// sink stores, and the sequence numbers that order both.
//
// Begin with [Event], which is one decoded frame, or with [Batch], which is what a sink
// stores. [Tracker] tells repeats and gaps in a series of seqs.
//
// Nothing here does I/O, holds a clock or starts a goroutine. Every other
// package may import this one; it imports none of them.
//
// Data flows one way. A source fills a [Chunk] with raw frames; a decoder turns
// each frame into an [Event]; an encoder turns the Event into an [Entry] inside a
// [Batch]; a sink stores the Batch. Byte slices are views, not copies: each type
// says who owns its memory and until when it may be read.
package event
