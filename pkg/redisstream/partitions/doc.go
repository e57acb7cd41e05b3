// Package partitions stores the events of a relay in several streams at once, each with a
// cursor of its own, so that several groups of workers can read at the same time and
// each repository's events still stay in order.
//
// redisstream.OpenPartitions opens a set whose parts are streams in Redis. To make one of
// other parts call [Open], then [Set.Resume] and [Set.Commit], as for a single stream. A
// [Part] says what a part has to do; it is asked once per run of batches, never per entry.
//
// What the set adds to its parts is that their cursors stand together:
//
//   - A first batch gives each part its cursor before any part stores an entry.
//   - Each batch moves all cursors to its watermark. Reading begins at the lowest, and
//     each part drops what it has.
//   - A cursor that is missing beside others is restored, never live.
//   - Cursors that were moved on purpose one by one are refused (fault.Cursor).
//
// A crash at any point leaves cursors that the next [Set.Resume] brings together again.
package partitions
