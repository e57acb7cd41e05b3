// Package endtest proves guarantees G1 to G3 end to end: its tests run relay,
// pipeline and store together, in virtual time, while everything around them
// fails.
//
// # What is real
//
// Everything that fhctl ingest is made of: pkg/relay with its websocket client,
// pkg/pipeline with the decoders, pkg/redisstream with its go-redis client, and
// the Lua scripts themselves, which miniredis runs. The relay is
// pkg/relayserver with its faults. Only sockets are not: connections are
// buffers in memory, because testing/synctest can tell that nobody moves any
// more, and so advance the clock, only where nothing waits for the kernel. A
// minute of waiting then costs nothing, and a seed takes milliseconds.
//
// The other way was a model of the scripts in Go, proven equal to the Lua by
// random calls. It would be faster, but every change of a script would have to
// be made twice, and a bug in the script could hide in the proof. What miniredis
// does not have (eviction, persistence, ACL, replication) is played by this
// package between client and server: errors, lost replies, snapshots put back.
// The tests with real servers are in pkg/redisstream and cmd/fhctl.
//
// # How it is checked
//
// The oracle looks at the store after every command, not at the end of a run:
// each new entry must be the next one the relay's log demands, and the cursor
// must not have passed one that is missing. Whoever takes something away from
// the store on purpose (a rollback, an operator who moves the cursor) tells the
// oracle, which then demands what follows from that and nothing else.
//
// Each fault counts itself when it really strikes, and each must show in what
// the program reports of it, so a run in which nothing went wrong fails.
//
// # Repeating a run
//
// A seed decides everything: what the relay sends, which faults strike, when,
// and how long each answer takes. A failing seed says how to run it again. Only
// goroutines that are ready in the same instant of virtual time may run in
// either order; instants are drawn in nanoseconds to make that rare.
package endtest
