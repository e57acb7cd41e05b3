package redisstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
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
	kind  byte // what an answer began with that is not RESP
	err   error
}

// Error says what is wrong, then what the system said.
func (e *peerError) Error() string {
	if e.err == nil {
		return e.what
	}
	return e.what + ": " + e.err.Error()
}

// Unwrap is what the system said.
func (e *peerError) Unwrap() error { return e.err }

const (
	tlsWantedHint  = "the port speaks TLS: write the URL with rediss:// (rediss-sentinel://, rediss-cluster://), or use the port without TLS"
	tlsRefusedHint = "the port does not speak TLS: write the URL with redis:// (redis-sentinel://, redis-cluster://), or use the server's TLS port"
	untrustedHint  = "the server's certificate is not trusted for this name: set the CA file and server name, or check that the port speaks TLS"
	tlsHint        = "compare the TLS settings of both sides: authorities, the server's name, and the client certificate, which the server may demand or which may have expired"
	notRedisHint   = "look at what listens at that host and port: it is no Redis, or a proxy in front of one that is not fit for it"
	mutePlainHint  = "a port that wants TLS does this (write rediss://), and a proxy that does not know the HELLO command; look at the log of what listens there"
	muteTLSHint    = "look at the log of what listens there: it may be a proxy that does not know the HELLO command, or it wants a client certificate"
	largeHint      = "no reply that fhctl asks for is this large in a sound Redis: look at what answers at that host and port, and for a huge entry in the stream"
)

// hintOf is what to look at where err tells more than that Redis is away; "" otherwise.
func hintOf(err error) string {
	var peer *peerError
	var closed *closedWith
	switch {
	case errors.As(err, &peer):
		return peer.hint
	case errors.As(err, &closed) && closed.cause() == causeProtocol:
		return notRedisHint
	case isCertificate(err):
		return untrustedHint
	case err != nil && isMisread(err):
		return notRedisHint
	}
	return ""
}

// notRedis describes a peer whose first bytes are of another protocol.
func notRedis(e *peerError, first []byte) *peerError {
	e.hint = notRedisHint
	switch {
	case e.kind == 0x15 || e.kind == 0x16: // a TLS alert, or a handshake
		return &peerError{cause: "tls", what: "the server answers in TLS, and the URL asks for a connection without", hint: tlsWantedHint}
	case strings.HasPrefix(string(first), "HTTP/"):
		e.what = "the server answers in HTTP; no Redis does"
	default:
		e.what = fmt.Sprintf("what the server sends is not Redis's protocol (%.24q)", first)
	}
	return e
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
	text := bare(e.text)
	switch cause := causeOfReply(text); {
	case cause != "":
		return cause
	case strings.HasPrefix(text, "DENIED"), strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "WRONGPASS"), isDenied(text):
		return ""
	}
	return causeProtocol
}

// Unwrap is how the connection ended.
func (e *closedWith) Unwrap() error { return e.err }

// tooLarge reports whether err is a reply that exceeded its bound.
func tooLarge(err error) bool {
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
