package health

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ownNames answers callers that name this machine. A page of somebody else can
// give its own name the address of loopback (DNS rebinding), and the visitor's
// browser would then let it read what is served here; that name gives it away.
// Beyond loopback any name may be right, and nobody is asked for one.
func ownNames(addr string, next http.Handler) http.Handler {
	configured := hostOf(addr)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := hostOf(r.Host); !isOwnName(host) && !strings.EqualFold(host, configured) {
			http.Error(w, "this address answers to localhost and to addresses in numbers; "+
				"for another name give it to --health-addr, or let the proxy send Host: localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOwnName reports whether nobody else can own host; HTTP/1.0 has none.
func isOwnName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || strings.EqualFold(host, "localhost")
}

// hostOf is "host:port" or "host" without port, brackets and the root's dot.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
	}
	return strings.TrimSuffix(host, ".")
}
