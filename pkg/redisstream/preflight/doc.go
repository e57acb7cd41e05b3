// Package preflight asks a Redis server, before anything is stored in it, whether it can
// keep what fhctl promises.
//
// A writer fills in a [Server] and calls [Server.Answers] until it is there, then
// [Server.Inspect]: it refuses a replica, an eviction policy that may take stream or cursor,
// keys of the wrong type and missing rights, and warns about what weakens the promises.
// [Server.Ledger] asks whether losses can be noted. Nothing here changes anything in Redis.
package preflight
