package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
)

// maxRedirects bounds how often a dial is sent elsewhere (C4).
const maxRedirects = 5

// line is an upgraded connection.
type line struct {
	ws   *websocket.Conn
	wire *wire
	url  string // where redirects led, without the cursor
}

// dial connects from pos, following redirects. The websocket library does not
// follow them itself.
func (s *Source) dial(ctx context.Context, pos event.Position) (*line, *breach) {
	target, err := url.Parse(s.cfg.Endpoint.URL(pos))
	if err != nil {
		return nil, refusal(causeHandshake, err, "correct the relay URL")
	}
	for range maxRedirects + 1 {
		l, answer, err := s.dialOnce(ctx, target)
		if err == nil {
			return l, nil
		}
		if answer == nil {
			return nil, undialled(err)
		}
		next := answer.Header.Get("Location")
		if !isRedirect(answer.StatusCode) || next == "" {
			return nil, refusedWith(answer)
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
func (s *Source) dialOnce(ctx context.Context, target *url.URL) (*line, *http.Response, error) {
	l := &line{url: display(target)}
	stop := func() bool { return true }
	dialer := websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment,
		TLSClientConfig:  s.cfg.TLS,
		HandshakeTimeout: s.cfg.DialTimeout,
		ReadBufferSize:   256,     // headers only: wire buffers, and a second copy costs
		WriteBufferSize:  1 << 10, // only control messages are written
		NetDialContext: func(dialing context.Context, network, addr string) (net.Conn, error) {
			conn, err := s.dialTCP(dialing, network, addr)
			if err != nil {
				return nil, err
			}
			// The dialer heeds the context only until TCP stands; a cancel
			// during TLS or upgrade needs the socket closed.
			stop = context.AfterFunc(ctx, func() { conn.Close() })
			l.wire = newWire(conn, s.cfg.IdleTimeout)
			return l.wire, nil
		},
	}
	header := http.Header{"User-Agent": {s.cfg.UserAgent}}
	ws, answer, err := dialer.DialContext(ctx, target.String(), header)
	stop()
	if err != nil {
		return nil, answer, err
	}
	l.ws = ws
	return l, answer, nil
}

// redirect is where a host at from sends a dial, made to ask for pos again. It
// must not be less secure than from.
func (s *Source) redirect(from *url.URL, location string, pos event.Position) (*url.URL, error) {
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
func refusedWith(answer *http.Response) *breach {
	code := answer.StatusCode
	err := fmt.Errorf("dial relay: the host answered %d %s", code, http.StatusText(code))
	switch code {
	case http.StatusMethodNotAllowed, http.StatusUpgradeRequired, http.StatusNotImplemented:
		hint := "this host does not serve subscribeRepos as fhctl knows it; check the relay URL"
		return &breach{cause: statusCause(code), final: true, err: fault.New(fault.Unreachable, err, hint)}
	}
	hint := "check the relay URL; fhctl keeps trying"
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

// refusal is a breach no retry can mend.
func refusal(cause string, err error, hint string) *breach {
	return &breach{cause: cause, final: true, err: fault.New(fault.Unreachable, fmt.Errorf("dial relay: %w", err), hint)}
}

// display is u as people see it: no cursor, and no path if it is the usual one.
func display(u *url.URL) string {
	if u.Path == Path || u.Path == "/" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}
