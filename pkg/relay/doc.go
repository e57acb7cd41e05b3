// Package relay reads frames from a relay's subscribeRepos endpoint over a
// websocket. It is the only package of the river that speaks websocket; it
// knows nothing of what frames mean.
//
// A Source follows one relay for as long as its caller ranges. Whatever ends a
// connection (the relay closing it with any code, a reset, silence, a failed
// dial, the receiver's Hangup) is passing: it is reported through
// Config.Notify and answered by another dial after a jittered, growing delay
// (C8). Before each dial the source asks its caller for the position to go on
// from, so the position is always the latest one and never the start-up one.
// Only what a retry cannot mend ends the iterator with an error: the caller
// could not give a position, the host answers 405, 426 or 501 (C5), or its
// redirects lead nowhere acceptable.
//
// # Memory
//
// Frames are read into pooled chunks, so a message costs no allocation of its
// own. Reading happens on the ranging goroutine: while the caller holds on to
// the loop body, nothing is read, and the socket slows the relay. At any time
// there exist one chunk being filled, one read buffer of 128 KiB, at most 40
// chunks kept for reuse and whatever chunks the caller has not released. A
// chunk is handed over at ChunkFrames frames or ChunkBytes bytes, or as soon as
// the reader would have to wait for the socket between two messages; so it holds
// at most ChunkBytes plus one message. Frames in front of a message that is still arriving wait
// for the rest of that message. Chunks that grew above 1 MiB are not pooled.
//
// # Liveness
//
// A second goroutine per connection pings the relay, and while the caller is
// slow, when pings from the relay go unread, also sends unsolicited pongs so
// that the relay sees life (C6). Silence is measured only while the reader
// waits for the socket: a slow caller is never mistaken for a dead relay.
// Both goroutines have ended before the iterator returns.
//
// A proxy is taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY as usual; it is
// never used for loopback.
package relay
