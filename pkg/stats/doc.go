// Package stats tells how a stream, its consumer groups and its cursor stand at one
// moment. Call [Collect] with a [reader.Reader]: it returns a [Report], which
// prints as JSON that keeps its shape.
//
// # What it reads
//
// It changes nothing and joins no group. It reads both ends of the stream, the newest
// [Options].Sample entries (at most 64 MiB of them), and of each group about a thousand
// pending and a thousand unread entries. A stream of a million entries takes as long as
// one of a thousand. It starts no goroutine of its own.
//
// Of a set of partitions it reads each one, and adds them up: what is counted is the
// sum, what is a risk is the worst, the cursor is the lowest. A sample and a limit of
// the length are divided among the partitions.
//
// # What is not known
//
// A server before Redis 7 does not count what was added, and a Redis user may be
// refused a command. Such a figure is nil, never 0; where the reason is known, a field
// named Unknown says it in words. Spans are seconds as float64, since the JSON has them
// so: [Duration] converts them. A number that is estimated says so beside it (LagExact,
// Exact, Complete).
//
// # Limits
//
// [Limits] are for monitors. Each limit becomes a [Check] in the report: OK, Failed, or
// Unknown where there was nothing to compare, such as a group that does not exist. A
// failed check is no error of Collect.
package stats
