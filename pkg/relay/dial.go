package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
)

// maxRedirects bounds how often a dial is sent elsewhere (C4).
const maxRedirects = 5

// maxLocation is the longest address that a redirect may name, in bytes.
const maxLocation = 2 << 10

// line is an upgraded connection.
type line struct {
	ws   *websocket.Conn
	wire *wire
	url  string // where redirects led, without the cursor
	via  string // HOST:PORT of the proxy between; empty without one
}

// dial connects from pos, following redirects. The websocket library does not
// follow them itself. Time and bytes are bounded for all of it together.
func (s *Source) dial(ctx context.Context, pos event.Position) (*line, *breach) {
	target, err := url.Parse(s.cfg.Endpoint.URL(pos))
	if err != nil {
		return nil, refusal(causeHandshake, err, "correct the relay URL")
	}
	until := time.Now().Add(s.cfg.DialTimeout)
	allowed := &allowance{left: handshakeBytes}
	for range maxRedirects + 1 {
		l, answer, err := s.dialOnce(ctx, target, until, allowed)
		if err == nil {
			return l, nil
		}
		if answer == nil {
			return nil, undialled(l, err)
		}
		next := answer.Header.Get("Location")
		if !isRedirect(answer.StatusCode) || next == "" {
			return nil, refusedWith(l.via, answer, err)
		}
		if target, err = s.redirect(target, next, pos); err != nil {
			return nil, refusal(causeHandshake, err, "use the address the relay redirects to as relay URL, if you trust it")
		}
		s.cfg.Logger.Debug("relay redirects", "relay", display(target))
	}
	return nil, refusal(causeHTTP3xx, fmt.Errorf("more than %d redirects", maxRedirects), "check the relay URL: the host redirects in circles")
}

// dialOnce makes one upgrade request. Without an error the line is open;
// otherwise answer is what the host said, nil if it said nothing.
func (s *Source) dialOnce(ctx context.Context, target *url.URL, until time.Time, allowed *allowance) (*line, *http.Response, error) {
	l := &line{url: display(target)}
	through, err := gatewayTo(target)
	if err != nil {
		return l, nil, err
	}
	dialing, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	stop := func() bool { return true }
	open := func(dialing context.Context, network, addr string) (net.Conn, error) {
		conn, err := s.dialTCP(dialing, network, addr)
		if err != nil {
			return nil, err
		}
		// The dialer heeds the context only until TCP stands; a cancel
		// during TLS or upgrade needs the socket closed.
		stop = context.AfterFunc(ctx, func() { conn.Close() })
		l.wire = newWire(conn, allowed)
		return l.wire, nil
	}
	dialer := websocket.Dialer{
		TLSClientConfig: s.cfg.tls(),
		ReadBufferSize:  256,     // headers only: wire buffers, and a second copy costs
		WriteBufferSize: 1 << 10, // only control messages are written
		NetDialContext:  open,
	}
	if through != nil {
		l.via = through.addr
		dialer.NetDialContext = func(dialing context.Context, _, addr string) (net.Conn, error) {
			return through.connect(dialing, open, addr, s.cfg.UserAgent, s.cfg.tls())
		}
	}
	header := http.Header{"User-Agent": {s.cfg.UserAgent}}
	ws, answer, err := dialer.DialContext(dialing, target.String(), header)
	stop()
	if err == nil && upgradeFlaw(answer.Header, nil) != "" {
		_ = ws.Close()
		err = errUpgrade
	}
	switch {
	case err == nil:
	case answer == nil && ctx.Err() == nil && !time.Now().Before(until): // what it reads as then is chance
		return l, nil, &mute{s.cfg.DialTimeout}
	default:
		return l, answer, err
	}
	l.ws, l.wire.allowed = ws, nil
	return l, answer, nil
}

// mute is the error of a host, or of the proxy before it, that accepts a connection and
// does not answer. It is not the end of a context: those have deadlines of their own.
type mute struct{ after time.Duration }

// Error says how long it was waited for.
func (e *mute) Error() string { return fmt.Sprintf("nothing answered within %s", e.after) }

// Timeout is true, as of every net.Error that took too long.
func (e *mute) Timeout() bool { return true }

// Temporary is what net.Error asks for.
func (e *mute) Temporary() bool { return true }

// errUpgrade is an answer that the websocket library takes and we do not.
var errUpgrade = errors.New("the upgrade turns on what was not asked for")

// upgradeFlaw names the header that makes a 101 no upgrade to what was asked
// for; empty when none does. err is what the websocket library says of it.
func upgradeFlaw(header http.Header, err error) string {
	switch {
	case !hasToken(header["Upgrade"], "websocket"):
		return "without the header Upgrade: websocket"
	case !hasToken(header["Connection"], "upgrade"):
		return "without the header Connection: Upgrade"
	case header.Get("Sec-Websocket-Accept") == "":
		return "without the header Sec-WebSocket-Accept"
	case errors.Is(err, websocket.ErrBadHandshake): // what is left of its checks
		return "with a Sec-WebSocket-Accept that does not fit the request"
	case header.Get("Sec-Websocket-Extensions") != "": // compression needs no more bytes than a bomb has
		return "with a Sec-WebSocket-Extensions that was not offered"
	case header.Get("Sec-Websocket-Protocol") != "":
		return "with a Sec-WebSocket-Protocol that was not offered"
	}
	return ""
}

// hasToken reports whether one of the comma-separated lists holds the word.
func hasToken(lists []string, word string) bool {
	for _, list := range lists {
		for token := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(token), word) {
				return true
			}
		}
	}
	return false
}

// redirect is where a host at from sends a dial, made to ask for pos again. It
// must not be less secure than from.
func (s *Source) redirect(from *url.URL, location string, pos event.Position) (*url.URL, error) {
	if len(location) > maxLocation {
		return nil, fmt.Errorf("redirect: the address is longer than %d bytes", maxLocation)
	}
	to, err := from.Parse(location)
	if err != nil {
		return nil, errors.New("redirect: the address is not a URL")
	}
	to.Scheme = schemes[strings.ToLower(to.Scheme)]
	switch {
	case to.Scheme == "" || to.Host == "":
		return nil, errors.New("redirect: the address is not a relay's")
	case to.User != nil:
		return nil, errors.New("redirect: the address has a user name or password")
	case to.Scheme == cleartext && from.Scheme == secure:
		return nil, fmt.Errorf("redirect to %s: it would drop encryption", display(to))
	case to.Scheme == cleartext && !s.cfg.Endpoint.allowCleartext && !isLoopback(to.Hostname()):
		return nil, fmt.Errorf("redirect to %s: cleartext is for loopback only", display(to))
	}
	to.Fragment = ""
	setCursor(to, pos)
	return to, nil
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// refusedWith is the breach of a dial that was answered with anything but an
// upgrade (C5). The body, often HTML, is never looked at.
func refusedWith(via string, answer *http.Response, cause error) *breach {
	code := answer.StatusCode
	err := dialError(via, fmt.Errorf("the host answered %d %s", code, http.StatusText(code)))
	switch code {
	case http.StatusSwitchingProtocols:
		err = fmt.Errorf("%w %s", err, upgradeFlaw(answer.Header, cause))
		return &breach{cause: causeHandshake, err: fault.New(fault.Unreachable, err, "check the relay URL; a proxy or load balancer in front of the relay may be changing its answers")}
	case http.StatusMethodNotAllowed, http.StatusUpgradeRequired, http.StatusNotImplemented:
		hint := "this host does not serve subscribeRepos as the protocol has it; check the relay URL"
		return &breach{cause: statusCause(code), final: true, err: fault.New(fault.Unreachable, err, hint)}
	}
	hint := "check the relay URL; a host that is being restarted or repaired answers so for a while"
	return &breach{cause: statusCause(code), wait: retryAfter(answer.Header), err: fault.New(fault.Unreachable, err, hint)}
}

func statusCause(code int) string {
	switch {
	case code == http.StatusTooManyRequests:
		return causeHTTP429
	case code >= 500:
		return causeHTTP5xx
	case code >= 400:
		return causeHTTP4xx
	case code >= 300:
		return causeHTTP3xx
	default:
		return causeHandshake
	}
}

// refusal is a breach no retry can repair.
func refusal(cause string, err error, hint string) *breach {
	return &breach{cause: cause, final: true, err: fault.New(fault.Unreachable, dialError("", err), hint)}
}

// display is u as people see it: no cursor, and no path if it is the usual one.
func display(u *url.URL) string {
	if u.Path == Path || u.Path == "/" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}
