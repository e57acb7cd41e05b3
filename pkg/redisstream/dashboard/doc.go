// Package dashboard keeps the keys that the app's dashboard and readiness probe read:
// the status, a sample of recent events and a broadcast.
//
// Call [New] and [Dashboard.Run]; [Dashboard.Link], [Dashboard.Role] and
// [Dashboard.Stored] tell it what happens, and never block. [ParseHeartbeat] reads a
// status, whoever wrote it.
//
//	firehose:status            string   whether a writer is connected, to what, and its cursor; 10 s
//	firehose:recent_events     string   the last 50 sampled events; 10 s
//	firehose:events:broadcast  channel  each sampled event
package dashboard
