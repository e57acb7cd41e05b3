// Package ingest carries the events of a relay into a Redis stream, as one process
// does for months: with a health server, metrics, the dashboard keys, a disk that
// takes what the stream has no room for, and frames kept that could not be decoded.
//
// Call [Run]; it ends when its context does, or when it met what only an operator can
// decide. Everything it needs is in [Config]: whoever calls it has opened the relay and
// chosen the Redis. Nothing here reads a command line, a variable or a settings file.
package ingest
