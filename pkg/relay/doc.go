// Package relay reads frames from a relay's subscribeRepos endpoint over a
// websocket. It is the only package of the pipeline that speaks websocket. Of what
// frames mean it knows one thing, for liveness: which of them are new events.
//
// Call [ParseURL] and [New], and range over [Source.Frames]. Each chunk belongs to the
// loop body until event.Chunk.Release.
//
// A [Source] follows one relay for as long as its caller ranges. Whatever ends a
// connection (the relay closing it with any code, a reset, silence, a failed
// dial, the receiver's Hangup) is passing: it is reported through
// [Config.Notify] and answered by another dial after a jittered, growing delay
// (C8). Before each dial the source asks its caller for the position to go on
// from, so the position is always the latest one and never the start-up one.
// Only what a retry cannot repair ends the iterator with an error: the caller
// could not give a position, the environment names a proxy that cannot be used,
// or, before the source was ever connected, the host answers 405, 426 or 501
// (C5) or its redirects lead nowhere acceptable. Once it was connected such a
// host is asked again slowly, with event.AlarmRefused.
//
// # Dialling
//
// Until the upgrade is done a dial reads 256 KiB at most and lasts
// Config.DialTimeout at most, for TLS, proxies, redirects and bodies together.
// An answer of 101 that is no upgrade, or that turns on an extension or
// subprotocol, is refused by the header's name.
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
// at most ChunkBytes plus one message. Frames in front of a message that is still
// arriving wait 20 ms for the rest of it, and are then handed over as a copy.
// Chunks that grew above 1 MiB are not pooled.
//
// # Liveness
//
// A second goroutine per connection pings the relay, and while the caller is
// slow, when pings from the relay go unread, also sends unsolicited pongs so
// that the relay sees life (C6). A connection is given up when no new event came
// whole within Config.IdleTimeout: pings, pongs, notices, messages of unknown
// types, repeats and parts of messages are no life. It is given up as well when
// no byte came for 90 s, however long the idle timeout is. The time that the
// caller takes is not counted: a slow one is never mistaken for a dead relay.
// Such an end is no failure: the next dial follows after Config.BackoffMin.
// Both goroutines have ended before the iterator returns.
//
// # Proxies
//
// A proxy is taken from HTTPS_PROXY (for wss) or HTTP_PROXY (for ws), else from
// ALL_PROXY, in upper or lower case; hosts in NO_PROXY and loopback are reached
// without. It may be http, https (verified with the same authorities as the
// relay), socks5 or socks5h, which both leave the relay's name to the proxy.
package relay
