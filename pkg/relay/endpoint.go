package relay

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
)

// Path is where a relay serves its stream (C1).
const Path = "/xrpc/com.atproto.sync.subscribeRepos"

const (
	secure    = "wss"
	cleartext = "ws"
)

var schemes = map[string]string{"wss": secure, "https": secure, "ws": cleartext, "http": cleartext}

// Endpoint is one relay's stream. The zero Endpoint is not usable; ParseURL
// makes one.
type Endpoint struct {
	scheme         string
	host           string // lower case, port only when not the scheme's own
	allowCleartext bool
}

// ParseURL reads a relay address in any form operators deploy: a host alone,
// host:port, or a wss, ws, https or http URL, with or without Path, with or
// without a trailing slash. A host alone means wss. Anything else in it is
// refused by name with class fault.Usage; the error never repeats the address,
// which might hold a password. Cleartext is for loopback only, unless
// allowCleartext is set.
func ParseURL(raw string, allowCleartext bool) (Endpoint, error) {
	u, err := splitURL(strings.TrimSpace(raw))
	if err != nil {
		return Endpoint{}, err
	}
	host, err := canonicalHost(u)
	if err != nil {
		return Endpoint{}, err
	}
	e := Endpoint{scheme: schemes[u.Scheme], host: host, allowCleartext: allowCleartext}
	if e.scheme == cleartext && !allowCleartext && !isLoopback(u.Hostname()) {
		return Endpoint{}, refuse("cleartext is for loopback only", "use wss:// for "+host)
	}
	return e, nil
}

// Host is the lower-case host, with the port unless it is the scheme's own:
// what a stored cursor belongs to (Q8).
func (e Endpoint) Host() string { return e.host }

// String is the address as people and the dashboard see it: no path, no cursor.
func (e Endpoint) String() string {
	if e.host == "" {
		return ""
	}
	return e.scheme + "://" + e.host
}

// URL is what to dial to read from pos (C1). Live sends no cursor, Oldest sends
// cursor=0; a position after nothing is unset and sends none (Q4).
func (e Endpoint) URL(pos event.Position) string {
	u := url.URL{Scheme: e.scheme, Host: e.host, Path: Path}
	setCursor(&u, pos)
	return u.String()
}

// setCursor makes u ask for pos, whatever cursor it asked for before: a
// redirect that lost or kept a cursor must change nothing.
func setCursor(u *url.URL, pos event.Position) {
	query := u.Query()
	query.Del("cursor")
	switch {
	case pos.Start == event.Oldest:
		query.Set("cursor", "0")
	case pos.Start == event.After && pos.Seq > 0:
		query.Set("cursor", pos.Seq.String())
	}
	u.RawQuery = query.Encode()
}

func splitURL(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, refuse("it is empty", "name a host, such as bsky.network")
	}
	if strings.Contains(raw, "#") {
		return nil, refuse("it has a fragment", "remove everything from # on")
	}
	if !strings.Contains(raw, "://") {
		raw = secure + "://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, refuse("it is not a URL", "write it like wss://bsky.network")
	}
	switch {
	case schemes[u.Scheme] == "":
		return nil, refuse(fmt.Sprintf("scheme %q is not a relay's", u.Scheme), "use wss://, or ws:// for loopback")
	case u.User != nil:
		return nil, refuse("it has a user name or password", "relays need no authentication; remove everything up to @")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, refuse("it has a query", "remove everything from ? on; the start position is set separately")
	}
	if path := strings.TrimSuffix(u.Path, "/"); path != "" && path != Path {
		return nil, refuse("its path is not the stream's", "leave the path out, or use "+Path)
	}
	return u, nil
}

func canonicalHost(u *url.URL) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if net.ParseIP(name) == nil && !isName(name) {
		return "", refuse("the host name is missing or malformed", "write it like wss://bsky.network; names beyond ASCII in punycode")
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if u.Port() == "" || u.Port() == defaultPort(schemes[u.Scheme]) {
		return name, nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return "", refuse("the port is not between 1 and 65535", "leave the port out, or correct it")
	}
	return name + ":" + strconv.FormatUint(port, 10), nil
}

// isName reports whether name has the form of a DNS name.
func isName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func defaultPort(scheme string) string {
	if scheme == secure {
		return "443"
	}
	return "80"
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

func refuse(what, hint string) error {
	return fault.New(fault.Usage, errors.New("relay URL: "+what), hint)
}
