// Package embedded serves the Redis protocol from this process, for people who
// have no Redis yet and for tests. It is the project's only door to miniredis.
//
// Call [Start] and connect to [Server.URL].
//
// It listens on loopback only, has no password, evicts nothing, and keeps
// nothing on disk: when the process ends, stream and cursor are gone together.
// An entry costs about 1 KiB of this process's memory, twice that at times, so
// the contract's 500,000 entries need a gigabyte: see [SuggestedMaxLen].
// redis-cli and the usual client libraries can connect and consume; it is not
// meant for production, and answers only what such consumers ask.
package embedded
