// Package health tells how ingest is doing: a status page for people, /livez,
// /readyz and /metrics for machines, all over HTTP and fed by one [Monitor] that
// observes the pipeline.
//
// Call [New], give the [Monitor] to the pipeline as its observer, and call
// [Monitor.Serve].
//
// It is the only package that imports the Prometheus client. No endpoint
// changes anything, and nothing that a relay or a record says becomes a metric
// label: labels come from closed sets, all present at 0 from the start, or from
// sets bounded to 32 words, after which everything is "other".
//
// # Endpoints
//
// GET and HEAD only.
//
//   - / is the status page: one document without anything from elsewhere, the
//     last hour in steps of 10 s, the last notes, rejects and entries, all
//     bounded. /live renews it every 2 s by server-sent events, for 16 pages
//     at once. Foreign text is escaped, and has no script: the page's policy
//     allows its own style and script alone.
//   - /livez answers 200 "ok" while the process can answer at all. It does not
//     look at relay or Redis: restarting the process fixes neither.
//   - /readyz answers 200 when the relay is connected, Redis is up and the
//     stored position moved within the idle time, or another process leads and
//     this one stands by; else 503. Both carry the same JSON, see [Report].
//   - /metrics serves the Prometheus text format, with the Go runtime's and the
//     process's own metrics.
//
// # Reasons
//
// The "reason" of /readyz is one of these words; the first that applies wins.
//
//   - stopping: a clean stop has begun
//   - relay_held: reading waits for an operator; "alarm" says why
//   - stream_full: readers have not finished what the stream may hold, and
//     nothing unread may be trimmed (--when-full)
//   - store_down: Redis does not take batches
//   - relay_down: not connected to the relay, retrying
//   - starting: not connected yet, or nothing stored yet
//   - idle: connected, but nothing was stored within the idle time
//   - standby: connected to both, and another process stores
//   - ready
//
// # Metrics
//
// Names carry their units and a counter ends in _total. fhctl_relay_lag_seconds
// compares this machine's clock with a time that the relay may have rewritten
// (E6): use it to see a trend, not to order or expire anything.
package health
