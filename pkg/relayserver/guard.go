package relayserver

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// ownNames answers requests that name this machine. A web page can point its own
// name at loopback (DNS rebinding), and the browser would then let it read what
// is served here; the name gives it away, and so does the origin of a page that
// connects to a name of ours. Programs send no origin. Beyond loopback, and on a
// listener that the caller brings, any name may be right.
func (s *Server) ownNames(next http.Handler) http.Handler {
	if s.cfg.AllowRemote || s.cfg.Listener != nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isOwnName(hostOf(r.Host)) {
			http.Error(w, "this relay answers to localhost and to addresses in numbers", http.StatusMisdirectedRequest)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r.Host) {
			http.Error(w, "this relay does not answer pages of other sites", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOwnName reports whether nobody else can own host, or it is configured.
func (s *Server) isOwnName(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || strings.EqualFold(host, "localhost") {
		return true
	}
	return host != "" && strings.EqualFold(host, hostOf(s.cfg.Addr))
}

// hostOf is "host:port" or "host" without port, brackets and the root's dot.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
	}
	return strings.TrimSuffix(host, ".")
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, host)
}
