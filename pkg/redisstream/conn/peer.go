package conn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/fhctl/fhctl/pkg/redisstream/resp"
	"github.com/redis/go-redis/v9"
)

// What one reply may take in memory.
const (
	// StoreReply bounds the replies to a Writer's batches. They are small; the
	// largest reply it reads is one entry (event.MaxData).
	StoreReply = 16 << 20
	// LookReply bounds those to what runs beside it: lengths, the cursor, the
	// dashboard's keys, a cluster's slots.
	LookReply = 4 << 20
	// ReadReply bounds a page of a Reader. DefaultPage entries take about 1 MiB;
	// where they do not fit it asks for fewer, down to one.
	ReadReply = 32 << 20
)

// causeProtocol is the cause of a peer whose replies are not a Redis's: too
// large, or in another language.
const causeProtocol = "protocol"

// peerError is what is wrong with the peer of a connection, as far as its bytes
// or its silence tell.
type peerError struct {
	cause string // a word of Causes
	what  string
	hint  string
	large bool // the reply was too large; a smaller one may do
	usage bool // the URL is wrong, unless it was right before
	err   error
}

// Error says what is wrong, then what the system said.
func (e *peerError) Error() string {
	if e.err == nil {
		return e.what
	}
	return e.what + ": " + e.err.Error()
}

// Is and As look at what the system said. There is no Unwrap: go-redis takes one
// wrapping off what a new connection fails with.
func (e *peerError) Is(target error) bool { return e.err != nil && errors.Is(e.err, target) }

// As is like Is.
func (e *peerError) As(target any) bool { return e.err != nil && errors.As(e.err, target) }

const (
	tlsWantedHint  = "the port speaks TLS: write the URL with rediss:// (rediss-sentinel://, rediss-cluster://), or use the port without TLS"
	tlsRefusedHint = "the port does not speak TLS: write the URL with redis:// (redis-sentinel://, redis-cluster://), or use the server's TLS port"
	untrustedHint  = "the server's certificate is not trusted for this name: set the CA file and server name, or check that the port speaks TLS"
	tlsHint        = "compare the TLS settings of both sides: authorities, the server's name, and the client certificate, which the server may demand or which may have expired"
	notRedisHint   = "look at what listens at that host and port: it is no Redis, or a proxy in front of one that is not fit for it"
	mutePlainHint  = "a port that wants TLS does this (write rediss://), and a proxy that does not know the HELLO command; look at the log of what listens there"
	muteTLSHint    = "look at the log of what listens there: it may be a proxy that does not know the HELLO command, or it wants a client certificate"
	largeHint      = "no reply to what is asked here is this large in a sound Redis: look at what answers at that host and port, and for a huge entry in the stream"
)

// Hint is what to look at where err tells more than that Redis is away; "" otherwise.
func Hint(err error) string {
	var peer *peerError
	var closed *closedWith
	switch {
	case errors.As(err, &peer):
		return peer.hint
	case errors.As(err, &closed) && closed.cause() == causeProtocol:
		return notRedisHint
	case IsCertificate(err):
		return untrustedHint
	case err != nil && isMisread(err):
		return notRedisHint
	case err != nil:
		return passingHints[CauseOf(err)]
	}
	return ""
}

// refusedReply describes a reply that is out of bounds. first is what came first of
// a peer that speaks another protocol.
func refusedReply(bad *resp.Error, first []byte) *peerError {
	e := &peerError{cause: causeProtocol, what: "the server " + bad.What, hint: notRedisHint, large: bad.Large}
	switch {
	case bad.Large:
		e.hint = largeHint
	case bad.Kind == 0x15 || bad.Kind == 0x16: // a TLS alert, or a handshake
		return &peerError{cause: "tls", what: "the server answers in TLS, and the URL asks for a connection without", hint: tlsWantedHint}
	case bad.Kind != 0 && strings.HasPrefix(string(first), "HTTP/"):
		e.what = "the server answers in HTTP; no Redis does"
	case bad.Kind != 0:
		e.what = fmt.Sprintf("what the server sends is not Redis's protocol (%.24q)", first)
	}
	return e
}

// unknownMaster is a Sentinel's answer that it watches no master of that name.
func (c *socket) unknownMaster() *peerError {
	return &peerError{cause: "connection", usage: true,
		what: fmt.Sprintf("the Sentinel at %s knows no master named %q", c.addr, c.master),
		hint: "the last part of the Redis URL's path, before a database, is what the Sentinels call the master: compare it with " +
			shellSentinel(c.addr)}
}

// shellSentinel is the command that lists a Sentinel's masters.
func shellSentinel(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "SENTINEL MASTERS"
	}
	return fmt.Sprintf("redis-cli -h %s -p %s SENTINEL MASTERS", host, port)
}

// WrongURL is what shows that the URL is wrong; nil where it may be right. One
// Sentinel that could not be asked may be the one that knows the master.
func WrongURL(err error) *peerError {
	each := []error{err}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		each = joined.Unwrap()
	}
	var peer *peerError
	for _, one := range each {
		if !errors.As(one, &peer) || !peer.usage {
			return nil
		}
	}
	return peer
}

// closedWith is a connection that the peer closed behind an error that says why.
type closedWith struct {
	text string // the error, as a server's
	err  error
}

// Error quotes the peer.
func (e *closedWith) Error() string {
	return fmt.Sprintf("%s (it said so and closed the connection: %v)", e.text, e.err)
}

// cause is "" where the error is one that does not pass. What servers say in
// other words, such as a proxy that does not know a command, may pass.
func (e *closedWith) cause() string {
	text := stripped(e.text)
	switch cause := causeOfReply(text); {
	case cause != "":
		return cause
	case strings.HasPrefix(text, "DENIED"), strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "WRONGPASS"), saysDenied(text):
		return ""
	}
	return causeProtocol
}

// Is and As look at how the connection ended; see peerError.
func (e *closedWith) Is(target error) bool { return errors.Is(e.err, target) }

// As is like Is.
func (e *closedWith) As(target any) bool { return errors.As(e.err, target) }

// TooLarge reports whether err is a reply that exceeded its bound.
func TooLarge(err error) bool {
	var peer *peerError
	return errors.As(err, &peer) && peer.large
}

// isMisread reports whether go-redis met a reply of another form than the command
// has. Such errors have no type of their own.
func isMisread(err error) bool {
	text := err.Error()
	for _, part := range []string{"redis: can't parse", "redis: invalid reply", "redis: got ", "redis: unexpected", "redis: the length of", " elements in cluster info", "redis: RESP3 map key", "redis: can't read"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange)
}

// worded is err, or in place of a parser's words that the answer was another than the
// command has.
func worded(err error) error {
	var number *strconv.NumError
	var peer *peerError
	switch {
	case err == nil || errors.As(err, &peer):
		return err
	case errors.As(err, &number):
		return misread(fmt.Sprintf("%.40q in place of a number", number.Num))
	case CauseOf(err) == causeProtocol && strings.HasPrefix(err.Error(), "redis: "):
		how := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "redis: "), "can't parse ")
		if kind, got, ok := strings.Cut(how, " reply: "); ok {
			how = fmt.Sprintf("%.80s in place of %s", got, kind)
		}
		return misread(how)
	}
	return err
}

func misread(how string) error {
	return &peerError{cause: causeProtocol, hint: notRedisHint, what: "the server's answer has not the form of one: " + how}
}

// closedByPeer reports whether the peer ended the connection.
func closedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isAlert reports whether the peer ended the connection with a TLS alert, as for
// a client certificate that is missing or expired.
func isAlert(err error) bool {
	var alert tls.AlertError
	// An alert that arrives is an error of its own, inside net.OpError.
	return errors.As(err, &alert) || err != nil && strings.Contains(err.Error(), "remote error: tls:")
}

// said is what the server said in an error, in its own words or, where its bytes were
// refused, in ours; "" where it said nothing.
func said(err error) string {
	var reply redis.Error
	var closed *closedWith
	var peer *peerError
	switch {
	case errors.As(err, &peer):
		return peer.what
	case errors.As(err, &closed):
		return closed.text
	case errors.As(err, &reply):
		return reply.Error()
	}
	return ""
}

// RefusesSize reports whether the server says that it takes no value or command of this
// size.
func RefusesSize(err error) bool {
	text := stripped(said(err))
	return strings.Contains(text, "invalid bulk length") || strings.Contains(text, "invalid multibulk length") ||
		strings.HasPrefix(text, "max request size exceeded")
}

// Severed reports whether the server ended the connection without a word.
func Severed(err error) bool { return said(err) == "" && closedByPeer(err) }
