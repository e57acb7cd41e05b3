// Package relayserver is a relay on loopback: it serves a log of frames at
// com.atproto.sync.subscribeRepos with cursors, in any of the dialects relays
// speak (Q3 to Q6), and commits the faults it is asked to commit.
//
// Call [Start] with a [Log]: a [MemoryLog], a sim.Sim or a capture.Log. [ParseFaults]
// reads what it is to do wrong.
//
// It is a second door of the websocket library, beside package relay, because
// a server is the other half of the same protocol and shares no line with the
// client: putting both behind one door would bring faults on demand into the
// package that production traffic runs through.
//
// Positions are event.Seq. A frame is opaque bytes to the server; only info
// and error frames are its own. Faults strike before the frame whose ordinal
// they name; ordinals count, from 1, the log frames sent on all connections
// since Start, so that a reconnecting client meets each fault once.
package relayserver
