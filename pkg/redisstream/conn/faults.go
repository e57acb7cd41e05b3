package conn

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
)

// passing are the server errors that end by themselves, by the first word of
// the message; each is also a metric label. Under any of them nothing was
// applied. OOM and MISCONF end when memory or disk is freed.
var passing = []string{
	"LOADING", "READONLY", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN", "BUSY",
	"CLUSTERDOWN", "MISCONF", "OOM", "MOVED", "ASK", "NOSCRIPT", "NOGOODSLAVE", "UNBLOCKED",
}

// Causes lists every word that event.Store.Cause can be.
func Causes() []string {
	words := []string{"max_clients", "tls", causeProtocol, "dns", "timeout", "dial", "connection"}
	for _, word := range passing {
		words = append(words, strings.ToLower(word))
	}
	return words
}

// CauseOf names the passing fault that err is; "" when it will not pass. What
// did not come from the server at all is a connection's fault and passes.
func CauseOf(err error) string {
	var reply redis.Error
	var classed *fault.Error
	if errors.Is(err, ErrReply) || errors.As(err, &classed) {
		return ""
	}
	var closed *closedWith
	if errors.As(err, &closed) {
		return closed.cause()
	}
	if !errors.As(err, &reply) {
		return transportCause(err)
	}
	return causeOfReply(reply.Error())
}

// causeOfReply names the passing fault that a server's error is; "" when it will
// not pass.
func causeOfReply(text string) string {
	text = stripped(text)
	for _, word := range passing {
		if strings.HasPrefix(text, word+" ") || text == word {
			return strings.ToLower(word)
		}
	}
	if strings.HasPrefix(text, "max number of clients") {
		return "max_clients"
	}
	if isProxyAway(text) {
		return "connection"
	}
	return ""
}

// stripped is text without what older servers put before an error that a script met.
func stripped(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "-"), "ERR ")
	if i := strings.LastIndex(text, ": -"); i >= 0 && strings.HasPrefix(text, "Error running script") {
		text = text[i+3:]
	}
	return text
}

func transportCause(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	var peer *peerError
	switch {
	case errors.As(err, &peer):
		return peer.cause
	case IsCertificate(err):
		return "tls"
	case errors.As(err, &dns):
		return "dns"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, redis.ErrPoolTimeout):
		return "timeout"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &op) && op.Op == "dial":
		return "dial"
	case isMisread(err):
		return causeProtocol
	default:
		return "connection"
	}
}

func IsCertificate(err error) bool {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var peer *peerError
	if errors.As(err, &peer) {
		return peer.cause == "tls"
	}
	return errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &verify) || errors.As(err, &record)
}

// Final classes an error that will not pass. Rights and credentials that are
// withdrawn while running are Final as well: no waiting repairs them, and a
// restarted process reads the new ones.
func Final(err error) error {
	var reply redis.Error
	var classed *fault.Error
	var closed *closedWith
	switch {
	case errors.As(err, &classed):
		return err
	case errors.As(err, &closed):
		reply = ServerError(closed.text)
	case !errors.As(err, &reply):
		return err
	}
	text := stripped(reply.Error())
	if whole := err.Error(); strings.Contains(whole, sentinelsFailed) {
		if err := refusedBySentinels(text, strings.Replace(whole, sentinelsFailed, "no Sentinel tells where the master is: ", 1), err); err != nil {
			return err
		}
	}
	switch {
	case strings.HasPrefix(text, "DENIED"):
		return fault.New(fault.Refused, err, "this Redis is in protected mode and answers its own machine only: set a password for it (requirepass or a user) and bind it to the address in use")
	case strings.HasPrefix(text, "DB index is out of range"), strings.HasPrefix(text, "invalid DB index"):
		return fault.New(fault.Usage, err, "this Redis has fewer databases than the number in the Redis URL: write a lower one, 0 for most, or raise databases in redis.conf")
	case strings.HasPrefix(text, "SELECT is not allowed in cluster mode"):
		return fault.New(fault.Usage, err, "Redis Cluster has only database 0: leave the number out of the Redis URL")
	case strings.HasPrefix(text, "WRONGPASS"), strings.Contains(text, "invalid password"):
		return fault.New(fault.Refused, err, wrongPasswordHint)
	case strings.HasPrefix(text, "NOAUTH"):
		return fault.New(fault.Refused, err, wantsPasswordHint)
	case strings.HasPrefix(text, "AUTH "), strings.Contains(text, "without any password configured"):
		return fault.New(fault.Refused, err, noPasswordHint)
	case saysDenied(text):
		return fault.New(fault.Refused, err, RightsHint)
	case strings.HasPrefix(text, "WRONGTYPE"):
		return fault.New(fault.Data, err, "a key that is needed here holds something else: rename it, or choose other key names")
	case strings.HasPrefix(text, "CROSSSLOT"):
		return fault.New(fault.Usage, err, "in Redis Cluster stream and cursor must share a slot: name the cursor {STREAM}:cursor")
	}
	return answered(text, err)
}

// sentinelsFailed is how go-redis begins the error of Sentinels that gave it no address,
// also where they have answered.
const sentinelsFailed = "redis: all sentinels specified in configuration are unreachable: "

// refusedBySentinels is the error of Sentinels that want a password of their own, which
// is not the master's, or that are none; nil for another answer.
func refusedBySentinels(text, said string, err error) error {
	said = strings.TrimSpace(said)
	switch {
	case strings.HasPrefix(text, "NOAUTH"):
		return fault.New(fault.Refused, reworded{said, err}, "the Sentinels want a password of their own: add ?sentinel_password=PASSWORD to the Redis URL, with &sentinel_username=USER where they have users; the part before the @ is for the master")
	case strings.HasPrefix(text, "WRONGPASS"), strings.Contains(text, "invalid password"):
		return fault.New(fault.Refused, reworded{said, err}, "the Sentinels refuse sentinel_username or sentinel_password of the Redis URL: check them, and percent-encode & # % + in them")
	case strings.HasPrefix(text, "AUTH "), strings.Contains(text, "without any password configured"), strings.Contains(text, "no password is set"):
		return fault.New(fault.Refused, reworded{said, err}, "the Sentinels have no password set: take sentinel_password out of the Redis URL")
	case strings.Contains(strings.ToLower(text), "unknown command 'sentinel'"), strings.Contains(strings.ToLower(text), "unknown command `sentinel`"):
		return fault.New(fault.Usage, reworded{said, err}, "what answers there is a Redis and no Sentinel: write the URL with redis:// (rediss:// for TLS) and without the master's name, or give the Sentinels' own port, usually 26379")
	}
	return nil
}

// reworded is an error in other words.
type reworded struct {
	text string
	error
}

// Error is those words.
func (e reworded) Error() string { return e.text }

// Unwrap is the error that was met.
func (e reworded) Unwrap() error { return e.error }

// Classed classes an error of a client that Dial made. One that may pass, or that
// did not come from the server, is fault.Unreachable.
func Classed(err error) error {
	if err == nil || CauseOf(err) == "" {
		return Final(err)
	}
	return fault.New(fault.Unreachable, err, Hint(err))
}

// The hints of a login that failed, where it is not known what it was made of.
const (
	wrongPasswordHint = "Redis refuses the user name or password: check the Redis URL, and percent-encode @ : / ? # % in the password"
	wantsPasswordHint = "Redis wants a password: write it into the Redis URL as redis://:PASSWORD@HOST:PORT or redis://USER:PASSWORD@HOST:PORT"
	noPasswordHint    = "this Redis has no password set, so remove it from the Redis URL, or give the user one"
)

// Final is the function's error, with hints that name what the login was made of.
func (c Connection) Final(err error) error {
	err = Final(err)
	hint := fault.HintOf(err)
	url, beside := cmp.Or(c.URLName, "the Redis URL"), cmp.Or(c.PasswordName, "the password beside the URL")
	switch {
	case hint != wrongPasswordHint && hint != wantsPasswordHint && hint != noPasswordHint:
		return err
	case c.Password == "":
		hint = strings.Replace(hint, "the Redis URL", url, 1)
	case hint == noPasswordHint:
		hint = "this Redis has no password set, so leave " + beside + " out, or give the user one"
	default:
		hint = "Redis refuses the user name or password: the password is from " + beside + ", where nothing is percent-encoded, and the user from " + url + ", which names none where it means the user default"
	}
	return fault.New(fault.ClassOf(err), err, hint)
}

const RightsHint = "give the Redis user these commands on its keys: evalsha eval get set xadd xtrim xlen xinfo xpending xrange xrevrange setex publish ping hello info client|setname; to look also: xread time pttl memory|usage; with a database other than 0: select"

// IsDenied reports whether the server says that the user lacks rights.
func IsDenied(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && saysDenied(stripped(reply.Error()))
}

// saysDenied recognises missing rights, also as Redis 6 and 7.0 word them inside
// scripts.
func saysDenied(text string) bool {
	return strings.HasPrefix(text, "NOPERM") || strings.Contains(text, "can't run this command") ||
		strings.Contains(text, "can't access at least one of the keys") || strings.Contains(text, "No permissions to access")
}

// ErrReply says that a reply is not what this version expects: it does not pass.
var ErrReply = errors.New("the script's reply is not what this version expects")

// ServerError is the text of an error of the server, such as one that a script met.
type ServerError string

// Error is the text.
func (e ServerError) Error() string { return string(e) }

// RedisError marks it as the server's.
func (ServerError) RedisError() {}
