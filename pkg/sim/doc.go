// Package sim makes the traffic of a relay that does not exist: synthetic, and
// valid down to the last hash and signature.
//
// Call [New] and give the [Sim] to a relay server as its log, or read frames by
// [Sim.Next]. [ParseURL] reads the settings from a URL.
//
// [Sim] is a log of frames that a relay server can serve. Accounts have keys
// (P-256, and K-256 for one in sixteen), a repository with a search tree, and
// habits: mostly likes, then reposts, posts, follows; now and then updates,
// deletes, commits of many ops or none; #identity, #account and #sync events.
// Commits chain (since, prevData), their revs rise, and their proofs undo (V1
// to V7). Besides the usual lexicons there is an unknown one, with everything
// the data model knows. Nothing is anybody's: names end in .example and .test,
// texts are built from a list of words.
//
// # Every seq has one frame
//
// A frame is a function of its number, the seed, the rate, the number of
// accounts and the epoch: never of what was read before, when, or by which
// process. A consumer that reconnects, even to a restarted process, is sent the
// same bytes again. Two things make this cheap:
//
// The series is cut into chapters, by default of 20,000 events. Each begins
// with a new cast of accounts, so that any place in the series is reached by
// replaying one chapter at most, without signing: under a second. The accounts
// of the chapter before fall silent.
//
// Established accounts share an invented history, of which only the growing
// edges are kept in memory: trees are as deep as real ones at about 25 KB per
// account.
//
// # Where the series stands
//
// With a Rate and no Count the relay has been running since the Epoch, and
// times are true: a process that starts now continues where one that never
// stopped would be. Cursors of an earlier process are simply in the past.
//
// With a Count, or without a Rate, the series begins at the Epoch's first
// event, which makes runs comparable byte for byte; its times lie in the past.
// A new process begins with Backlog events. A cursor of an earlier process is
// then in the future, until [Sim.Reach] is called with it: a server should do so
// before it asks for Bounds.
//
// The clock starts at the first call of Bounds, Reach or Next.
package sim
