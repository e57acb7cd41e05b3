package health

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ownNames answers callers that name this machine. A page of somebody else can
// give its own name the address of loopback (DNS rebinding), and the visitor's
// browser would then let it read what is served here; that name gives it away.
// That holds beyond loopback, too: a container listens on every address, and the
// browser runs on the machine it is published on. hosts are further names.
func ownNames(addr string, hosts []string, next http.Handler) http.Handler {
	configured := append([]string{hostOf(addr)}, hosts...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := hostOf(r.Host); !isOwnName(host) && !slices.ContainsFunc(configured, func(name string) bool { return strings.EqualFold(host, name) }) {
			http.Error(w, "this address answers to localhost and to addresses in numbers; "+
				"add it to the setting health-host, or let the proxy send Host: localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameSite refuses what another site's page asks for: browsers say so. A person
// who follows a link from elsewhere, such as an alert, gets the page.
func sameSite(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
		if site := strings.ToLower(r.Header.Get("Sec-Fetch-Site")); (site == "cross-site" || site == "same-site") && !followed {
			http.Error(w, "a page of another site may not read this", http.StatusForbidden)
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
