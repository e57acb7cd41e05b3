package conn

import (
	"errors"
	"strings"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/redis/go-redis/v9"
)

// BarredHint is for commands that a server does not have, or does not let anybody use.
const BarredHint = "this server does not run that command: it is renamed or blocked there, as managed services do, or the server is a Sentinel, a proxy or older than Redis 5. Allow it, or use a Redis 7 of your own; the commands needed are evalsha eval get set xadd xtrim xlen xinfo xpending xrange xrevrange setex publish ping info"

// answer is a family of server errors: any that contains one of the words.
type answer struct {
	words []string // in lower case
	class fault.Class
	hint  string
}

// answers are the errors, beyond those that final names by their code, that servers,
// proxies and managed services give to what fhctl sends. The first that fits counts.
var answers = []answer{
	{[]string{"cluster support disabled"}, fault.Usage,
		"this server is no Redis Cluster: write the URL with redis:// (rediss:// for TLS)"},
	{[]string{"no such master"}, fault.Usage,
		"Sentinel does not know the name at the end of the Redis URL; ask it: redis-cli -p 26379 SENTINEL MASTERS"},
	{[]string{"unknown command 'select'", "unknown command `select`"}, fault.Refused,
		"the database number at the end of the Redis URL is why SELECT is sent, and this server has no such command: leave the number out"},
	{[]string{"no password is set"}, fault.Refused,
		noPasswordHint},
	{[]string{"arguments for 'auth'", "arguments for `auth`"}, fault.Refused,
		"this Redis is older than 6 and has no users: write the URL as redis://:PASSWORD@HOST:PORT"},
	{[]string{"do not hash to the same slot", "don't hash to the same slot", "non local key"}, fault.Usage,
		"in Redis Cluster stream and cursor must share a slot: name the cursor {STREAM}:cursor"},
	{[]string{"unknown command", "unknown redis command", "unknown subcommand", "unsupported command", "command is not supported", "not available", "not allowed",
		"not permitted", "not supported", "unsupported", "disabled", "forbidden", "blocked"}, fault.Refused, BarredHint},
	{[]string{"limit exceeded", "quota", "too many requests"}, fault.Refused,
		"the service that runs this Redis answers no more for now: look at its limits in its console"},
	{[]string{"protocol error", "proto-max-bulk-len", "bulk length", "too big", "too large", "too long"}, fault.Usage,
		"the server, or a proxy before it, takes no command this large: raise its limit (proto-max-bulk-len), or lower batch-bytes"},
	{[]string{"exhausted the last possible id", "equal or smaller than the target"}, fault.Data,
		"the newest entry's id is as high as ids can be, or far in the future: look with XINFO STREAM, then rename the stream or choose another key"},
	{[]string{"nogroup", "no such key"}, fault.Unreachable,
		"the stream or the group was deleted while it was looked at: repeat it"},
	{[]string{"wrong number of arguments", "syntax error", "unknown option", "invalid stream id", "script"}, fault.Usage,
		"this server understands less than is needed: it is older than Redis 5, or an imitation. Use Redis 7; see its version with: redis-cli INFO server"},
}

// passingHints are the remedies of passing faults, by cause: of those that a server
// names itself. Where none is there, whether Redis is up is the question.
var passingHints = map[string]string{
	"max_clients": "Redis has as many connections as it allows: find who opens them with redis-cli CLIENT LIST, as soon as one is free, or raise maxclients",
	"loading":     "Redis reads its files after a start: wait until it has; redis-cli INFO persistence tells how far it is",
	"busy":        "a script of somebody else runs too long: end it with redis-cli SCRIPT KILL",
	"misconf":     "Redis cannot save to its disk and takes no writes: free space there, then redis-cli BGSAVE; redis-cli INFO persistence and its log tell why",
	"oom":         "Redis is full: give it memory with redis-cli CONFIG SET maxmemory, or keep less in it; redis-cli INFO memory tells what it uses",
	"readonly":    "this is a replica, perhaps since a failover: point the Redis URL at the primary (redis-cli INFO replication names it), or use redis-sentinel://",
	"noreplicas":  "too few replicas follow this primary (min-replicas-to-write): get them running again; redis-cli INFO replication lists them",
	"masterdown":  "this replica has lost its primary: point the Redis URL at the primary, or get the primary running; redis-cli INFO replication names it",
	"clusterdown": "the cluster has slots that no node serves: get the nodes that failed running; redis-cli CLUSTER NODES lists them",
	"noscript":    "Redis forgot a script while it was being used (a restart, a failover or SCRIPT FLUSH): repeat it",
	"tryagain":    "the cluster moves these keys to another node: repeat it when that is done; redis-cli CLUSTER NODES shows slots that move",
	"nogoodslave": "Sentinel finds no replica fit to become the primary: redis-cli -p 26379 SENTINEL REPLICAS tells why, with the master's name behind it",
	"unblocked":   "the server became a replica during a wait: repeat it; redis-cli INFO replication names the primary",
}

// answered classes an error of the server that has no code of its own. An unexpected
// one says nothing about what is stored.
func answered(text string, err error) error {
	low := strings.ToLower(text)
	for _, a := range answers {
		if containsAny(low, a.words) {
			return fault.New(a.class, err, a.hint)
		}
	}
	return fault.New(fault.Unreachable, err, "Redis gives an answer that means nothing here: look at its log, and at what listens there with: redis-cli INFO server; report it if it stays")
}

// IsBarred reports whether the server says that it has not the command, or lets nobody
// run it.
func IsBarred(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && fault.HintOf(answered(stripped(reply.Error()), ErrReply)) == BarredHint
}

// proxyAway are what proxies say whose Redis does not answer them.
var proxyAway = []string{
	"upstream failure", "upstream timeout", "no upstream", "upstream connect", "upstream protocol error", "connection refused", "connection reset",
	"connection timed out", "conn reset", "no server connection", "no backend", "backend is down", "host unreachable", "no route to host",
}

// isProxyAway reports whether a proxy says that its Redis is away, which passes.
func isProxyAway(text string) bool { return containsAny(strings.ToLower(text), proxyAway) }

func containsAny(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}
