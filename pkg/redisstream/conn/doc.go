// Package conn connects to Redis, alone, behind Sentinels or as a cluster, and says what
// went wrong.
//
// Call [Dial] for a client of a [Connection]. [Connection.Classed] gives an error of
// one exchange its class and a hint; [Outage.Retry] repeats an exchange for as long as
// what is wrong passes by itself. [ParseURL] looks at a URL without connecting.
//
// A [Client] is go-redis with one connection, without retries of its own: the order of
// what is sent is the order in which it is applied. Below its parser each connection
// follows the framing of what the server sends and ends before a reply that is too
// large, too deep or of another protocol, so that no peer can take much memory or end
// the process. What the server said before it closed is kept, and told.
//
// Only this package shows types of go-redis in what it exports. Those who use a Client
// keep them to themselves.
package conn
