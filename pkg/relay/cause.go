package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/text"
)

// The words of event.Link.Cause: why a connection ended or could not be made.
// The set is closed, so that they may be metric labels. Close codes that are
// not listed in closeCauses are closed_other.
const (
	causeDNS         = "dial_dns"
	causeRefused     = "dial_refused"
	causeDialTimeout = "dial_timeout"
	causeDialOther   = "dial_other"
	causeTLS         = "tls"
	causeProxy       = "proxy"     // it cannot be used, or does not connect
	causeHandshake   = "handshake" // not a websocket answer, or a refused redirect
	causeHTTP429     = "http_429"
	causeHTTP3xx     = "http_3xx"
	causeHTTP4xx     = "http_4xx"
	causeHTTP5xx     = "http_5xx"
	causeUnsupported = "closed_1003"
	causeTooBig      = "closed_1009"
	causeClosedOther = "closed_other"
	causeEOF         = "eof"
	causeReset       = "reset"
	causeIdle        = "idle" // no new event for too long
	causeOversize    = "oversize"
	causeProtocol    = "protocol" // not websocket framing
	causeHangup      = "hangup"
	causeStopped     = "stopped" // the caller's context ended
)

var closeCauses = map[int]string{
	1000: "closed_1000", 1001: "closed_1001", 1002: "closed_1002", 1003: causeUnsupported,
	1005: "closed_1005", 1007: "closed_1007", 1008: "closed_1008", 1009: causeTooBig,
	1011: "closed_1011", 1012: "closed_1012", 1013: "closed_1013",
}

// Causes lists every word that event.Link.Cause can be.
func Causes() []string {
	words := []string{
		causeDNS, causeRefused, causeDialTimeout, causeDialOther, causeTLS, causeProxy, causeHandshake,
		causeHTTP429, causeHTTP3xx, causeHTTP4xx, causeHTTP5xx, causeClosedOther,
		causeEOF, causeReset, causeIdle, causeOversize, causeProtocol, causeHangup, causeStopped,
	}
	for _, word := range closeCauses {
		words = append(words, word)
	}
	return words
}

// breach is how a dial or a connection ended.
type breach struct {
	cause string
	err   error
	wait  time.Duration // what the relay asked for with Retry-After
	final bool          // a retry cannot help: err ends the iterator
	// brought says that frames had arrived, so the position has probably
	// advanced.
	brought bool
	// unfinished says that it ended within a message.
	unfinished bool
}

// broken is the breach of a connection whose read failed with err.
func broken(err error) *breach {
	var closed *websocket.CloseError
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		return &breach{cause: causeOversize, err: errors.New("read relay: a message is above the size limit")}
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		return closedBy(closed)
	case errors.As(err, &closed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &breach{cause: causeEOF, err: errors.New("read relay: the connection ended without a close message")}
	case errors.Is(err, errSilent), errors.Is(err, errMute):
		return &breach{cause: causeIdle, err: fmt.Errorf("read relay: %w", err)}
	case isNetwork(err):
		return &breach{cause: causeReset, err: fmt.Errorf("read relay: %w", err)}
	default:
		return &breach{cause: causeProtocol, err: fmt.Errorf("read relay: %w", err)}
	}
}

// closedBy quotes the relay's words in ASCII: they are untrusted.
func closedBy(closed *websocket.CloseError) *breach {
	cause, known := closeCauses[closed.Code]
	if !known {
		cause = causeClosedOther
	}
	err := fmt.Errorf("relay closed the connection with code %d", closed.Code)
	if closed.Text != "" {
		err = fmt.Errorf("%w: %s", err, strconv.QuoteToASCII(closed.Text))
	}
	return &breach{cause: cause, err: err}
}

func isNetwork(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET)
}

// undialled is the breach of a dial that got no HTTP answer from the host.
func undialled(l *line, err error) *breach {
	class, hint := fault.ClassOf(err), fault.HintOf(err)
	if hint == "" {
		class, hint = fault.Unreachable, dialHint(err)
	}
	cause := dialCause(err)
	if cause == causeDialOther && l.wire != nil && !isNetwork(err) {
		cause = causeHandshake // it is there, and speaks something else
	}
	return &breach{cause: cause, final: class == fault.Usage, err: fault.New(class, dialError(l.via, err), hint)}
}

// dialError says through which proxy it happened, if one lies between.
func dialError(via string, err error) error {
	if said := err.Error(); len(said) > maxError {
		err = &longError{text: text.Shorten(said, maxError), err: err}
	}
	if via != "" {
		return fmt.Errorf("dial relay via proxy %s: %w", via, err)
	}
	return fmt.Errorf("dial relay: %w", err)
}

// maxError is how much of an error is told, in bytes: some quote what a host sent.
const maxError = 400

// longError is an error whose text was too long.
type longError struct {
	text string
	err  error
}

func (e *longError) Error() string { return e.text }
func (e *longError) Unwrap() error { return e.err }

func dialCause(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	var proxy *gatewayError
	switch {
	case errors.As(err, &proxy), fault.ClassOf(err) == fault.Usage:
		return causeProxy
	case errors.Is(err, errHandshakeBytes):
		return causeHandshake
	case errors.As(err, &dns):
		return causeDNS
	case isTLS(err):
		return causeTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return causeRefused
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return causeDialTimeout
	case errors.Is(err, syscall.ECONNRESET):
		return causeReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return causeEOF
	default:
		return causeDialOther
	}
}

func isTLS(err error) bool {
	var (
		record      tls.RecordHeaderError
		alert       tls.AlertError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		name        x509.HostnameError
	)
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &certificate) ||
		errors.As(err, &authority) || errors.As(err, &name)
}

func dialHint(err error) string {
	switch dialCause(err) {
	case causeDNS:
		return "check the host name in the relay URL, and DNS"
	case causeHandshake:
		return "check the relay URL: what answers there does not speak websocket"
	case causeTLS:
		return "check the relay's certificate and the CA file; ws:// works on loopback only"
	default:
		return "check the relay URL and that this machine may reach it"
	}
}
