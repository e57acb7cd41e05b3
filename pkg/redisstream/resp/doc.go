// Package resp bounds what the peer of a Redis connection may send. Parsers
// allocate what a message declares before any of it has come, so that eleven bytes
// take gigabytes; a [Follower] stands below the parser and stops before that.
//
// Declare a [Follower] with its Limit, one for each direction of a connection, and pass
// the bytes through [Follower.Follow] before a parser sees them.
//
// It starts no goroutine and allocates nothing but for errors.
package resp
