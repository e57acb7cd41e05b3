// Package doctor examines a relay, a Redis, a stream, its groups and its cursor as ingest
// with the same settings would meet them. Call [Examine]: it yields one [Check] for
// everything it looks at, with what to do about it.
//
// It looks and never changes anything, so it may run beside ingest. A check that failed
// is no error: the error that may end the series is one of settings, or the context's.
//
// # What it needs
//
// [Targets] are a relay and a Redis, as functions that open them: doctor opens each once,
// and once more the Redis where the stream turns out to be a copy with a cursor of its
// own. [Options] is what ingest would be told, as plain values.
//
// # What a status means
//
// A [Failure] keeps ingest from starting or loses events; a [Warning] is a risk. What
// could not be looked at is [Unknown]: Redis is away, or its user may not ask. [Check].Fix
// speaks of remedies in the words of package fault, which [fault.Spell] finds.
package doctor
