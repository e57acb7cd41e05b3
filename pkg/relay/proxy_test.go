package relay

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

var proxyVariables = []string{
	"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
}

// proxies sets the environment's proxies, and none beside.
func proxies(t *testing.T, set map[string]string) {
	t.Helper()
	for _, name := range proxyVariables {
		t.Setenv(name, set[name])
	}
}

// behind dials relay.example, which only a proxy knows.
func behind(t *testing.T, cfg Config) *follower {
	t.Helper()
	return followEndpoint(t, behindEndpoint(t), oldest, cfg, nil)
}

func behindEndpoint(t *testing.T) Endpoint {
	t.Helper()
	endpoint, err := ParseURL("ws://relay.example:8080", true)
	if err != nil {
		t.Fatal(err)
	}
	return endpoint
}

// httpProxy is a proxy that connects whatever it is asked for to target, if
// user is what it is told.
func httpProxy(t *testing.T, settings *tls.Config, target, user string) string {
	return accepting(t, settings, func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil || request.Method != http.MethodConnect || request.Host != "relay.example:8080" {
			fmt.Fprintf(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			return
		}
		if user != "" && request.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(user)) {
			fmt.Fprintf(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 6\r\n\r\ncanary")
			return
		}
		join(conn, target, "HTTP/1.1 200 Connection established\r\n\r\n")
	})
}

// socksProxy speaks SOCKS5 (RFC 1928), for names only.
func socksProxy(t *testing.T, target string) string {
	return accepting(t, nil, func(conn net.Conn) {
		head := make([]byte, 512)
		if _, err := io.ReadFull(conn, head[:2]); err != nil {
			return
		}
		_, _ = io.ReadFull(conn, head[:head[1]])
		_, _ = conn.Write([]byte{5, 0})
		if _, err := io.ReadFull(conn, head[:5]); err != nil || head[3] != 3 {
			return
		}
		name := make([]byte, int(head[4])+2)
		if _, err := io.ReadFull(conn, name); err != nil || string(name[:len(name)-2]) != "relay.example" {
			_, _ = conn.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		join(conn, target, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
	})
}

func join(conn net.Conn, target, greeting string) {
	to, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer to.Close()
	_, _ = io.WriteString(conn, greeting)
	go func() { _, _ = io.Copy(to, conn); to.Close() }()
	_, _ = io.Copy(conn, to)
}

func relayAddr(t *testing.T, last event.Seq) string {
	// It is asked for under the name that the proxy knows it by.
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, last), AllowRemote: true})
	return strings.TrimPrefix(server.URL(), "ws://")
}

func TestProxiesAreUsed(t *testing.T) {
	issued, trust := certificate(t, nil)
	target := relayAddr(t, 5)
	secured := &tls.Config{Certificates: issued.TLS.Certificates}
	for name, test := range map[string]struct {
		variable, scheme, addr string
	}{
		"HTTP_PROXY":        {"HTTP_PROXY", "http://", httpProxy(t, nil, target, "")},
		"http_proxy, bare":  {"http_proxy", "", httpProxy(t, nil, target, "")},
		"ALL_PROXY":         {"ALL_PROXY", "http://", httpProxy(t, nil, target, "")},
		"with a password":   {"HTTP_PROXY", "http://me:c%40nary@", httpProxy(t, nil, target, "me:c@nary")},
		"https":             {"HTTP_PROXY", "https://", httpProxy(t, secured, target, "")},
		"socks5":            {"ALL_PROXY", "socks5://", socksProxy(t, target)},
		"socks5h":           {"all_proxy", "socks5h://", socksProxy(t, target)},
		"blanks around it":  {"HTTP_PROXY", " http://", httpProxy(t, nil, target, "") + " \n"},
		"a slash behind it": {"HTTP_PROXY", "http://", httpProxy(t, nil, target, "") + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			proxies(t, map[string]string{test.variable: test.scheme + test.addr})
			f := behind(t, Config{TLS: trust})
			f.untilSeq(5)
			f.stop()
			if got, want := f.links[1].Via, strings.Trim(test.addr, "/ \n"); got != want {
				t.Errorf("via %q, want %q", got, want)
			}
		})
	}
}

// TLS to the relay runs through the proxy, and so do redirects.
func TestProxyCarriesTLS(t *testing.T) {
	issued, trust := certificate(t, nil)
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 3000), AllowRemote: true, TLS: &tls.Config{Certificates: issued.TLS.Certificates}})
	proxies(t, map[string]string{"HTTPS_PROXY": "http://" + httpProxy(t, nil, strings.TrimPrefix(server.URL(), "wss://"), "")})
	endpoint, err := ParseURL("wss://relay.example:8080", false)
	if err != nil {
		t.Fatal(err)
	}
	trust.ServerName = "example.com" // which the certificate is for
	f := followEndpoint(t, endpoint, oldest, Config{TLS: trust}, nil)
	f.untilSeq(3000)
	f.stop()
	f.wantExact(1, 3000)
}

func TestProxyFaultsAreNamed(t *testing.T) {
	target := relayAddr(t, 1)
	const dead = "127.0.0.1:1" // a closed port of the system's could be the next test's
	says := func(text string) string {
		return "http://" + accepting(t, nil, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4<<10))
			_, _ = io.WriteString(conn, text)
		})
	}
	for name, test := range map[string]struct {
		value, words string
		class        fault.Class
	}{
		"407 without a password": {"http://" + httpProxy(t, nil, target, "me:secret"), "wants a user name and password (407", fault.Refused},
		"407 with a wrong one":   {"http://me:canary@" + httpProxy(t, nil, target, "me:secret"), "does not take the user name and password", fault.Refused},
		"403":                    {says("HTTP/1.1 403 Forbidden\r\n\r\n"), "forbids this connection (403", fault.Refused},
		"502":                    {says("HTTP/1.1 502 Bad Gateway\r\n\r\ncanary"), "does not connect to the relay: it answered 502", fault.Unreachable},
		"dead":                   {"http://me:canary@" + dead, "connection refused", fault.Unreachable},
		"dead socks":             {"socks5://me:canary@" + dead, "connection refused", fault.Unreachable},
		"no HTTP":                {says("220 mail.example ESMTP\r\n"), "read the proxy's answer", fault.Unreachable},
		"closes":                 {says(""), "read the proxy's answer", fault.Unreachable},
		"socks at an HTTP proxy": {strings.Replace(says("HTTP/1.1 400 Bad Request\r\n\r\n"), "http", "socks5", 1), "socks", fault.Unreachable},
		"unasked bytes":          {says("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching"), "more than the end of its answer", fault.Unreachable},
		"https at a plain proxy": {strings.Replace(says("HTTP/1.1 400 Bad Request\r\n\r\n"), "http", "https", 1), "tls", fault.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			proxies(t, map[string]string{"HTTP_PROXY": test.value})
			f := behind(t, Config{BackoffMin: time.Hour, DialTimeout: 10 * time.Second})
			f.until("the dial failed", func() bool { return len(f.causes()) > 0 })
			f.stop()
			u, _ := url.Parse(test.value)
			wantProxyFault(t, f.links[1].Err, f.links[1].Cause, test.words, test.class)
			if !strings.Contains(f.links[1].Err.Error(), "via proxy "+u.Host) {
				t.Errorf("%v does not name the proxy %s", f.links[1].Err, u.Host)
			}
		})
	}
}

func wantProxyFault(t *testing.T, err error, cause, words string, class fault.Class) {
	t.Helper()
	if cause != causeProxy || !strings.Contains(err.Error(), words) || fault.ClassOf(err) != class || fault.HintOf(err) == "" {
		t.Errorf("cause %s, class %s, hint %q: %v, want %q, %s", cause, fault.ClassOf(err), fault.HintOf(err), err, words, class)
	}
	if strings.Contains(err.Error()+fault.HintOf(err), "canary") {
		t.Errorf("it repeats a password, or what a stranger sent: %v", err)
	}
}

// An answer that never ends is bounded where it comes from a proxy as well.
func TestProxyAnswersAreBounded(t *testing.T) {
	for name, scheme := range map[string]string{"status line": "http://", "header": "http://", "socks": "socks5://"} {
		t.Run(name, func(t *testing.T) {
			begin := map[string]string{"status line": "HTTP/1.1 200 ", "header": "HTTP/1.1 200 OK\r\nX: "}[name]
			proxies(t, map[string]string{"HTTP_PROXY": scheme + speaking(t, nil, endlessly(begin, "a"))})
			wantBoundedDialOf(t, behindEndpoint(t), nil)
		})
	}
}

// What no retry repairs ends it: the environment of a process does not change.
func TestProxySettingsThatCannotBeUsed(t *testing.T) {
	for value, words := range map[string]string{
		"ftp://proxy.example":              `"ftp" is no kind of proxy`,
		"socks4://proxy.example":           `"socks4" is no kind of proxy`,
		"http://":                          "names no host",
		"http://me:canary@":                "names no host",
		"http://proxy.example:99999":       "port",
		"http://proxy.example:0":           "port",
		"proxy.example:port":               "not a URL",
		"http//proxy.example":              "something follows",
		"http://host#canary":               "something follows",
		"http://me:can#canary@host":        "not a URL",
		"http://proxy.example:3128?canary": "something follows",
		"http://[::1":                      "not a URL",
	} {
		t.Run(value, func(t *testing.T) {
			proxies(t, map[string]string{"ALL_PROXY": value})
			f := behind(t, Config{})
			f.untilEnd()
			wantProxyFault(t, f.err, f.links[1].Cause, words, fault.Usage)
			if !strings.Contains(f.err.Error(), "ALL_PROXY") {
				t.Errorf("%v does not name the variable", f.err)
			}
		})
	}
}

func TestNoProxy(t *testing.T) {
	for _, test := range []struct {
		url, variable, except string
		used                  bool
	}{
		{"wss://relay.example", "HTTPS_PROXY", "", true},
		{"wss://relay.example", "https_proxy", "", true},
		{"wss://relay.example", "ALL_PROXY", "", true},
		{"wss://relay.example", "HTTP_PROXY", "", false},
		{"ws://relay.example", "HTTPS_PROXY", "", false},
		{"ws://relay.example", "http_proxy", "", true},
		{"wss://relay.example", "HTTPS_PROXY", "relay.example", false},
		{"wss://a.relay.example", "HTTPS_PROXY", ".relay.example", false},
		{"wss://a.relay.example", "HTTPS_PROXY", "relay.example", false},
		{"wss://relay.example:444", "HTTPS_PROXY", "relay.example:443", true},
		{"wss://10.1.2.3", "HTTPS_PROXY", "10.0.0.0/8", false},
		{"wss://relay.example", "ALL_PROXY", "*", false},
		{"ws://127.0.0.1:1", "HTTP_PROXY", "", false},
		{"ws://localhost:1", "ALL_PROXY", "", false},
		{"wss://[::1]:1", "HTTPS_PROXY", "", false},
	} {
		proxies(t, map[string]string{test.variable: "proxy.example:3128", "NO_PROXY": test.except})
		target, err := url.Parse(test.url)
		if err != nil {
			t.Fatal(err)
		}
		g, err := gatewayTo(target)
		if err != nil || (g != nil) != test.used {
			t.Errorf("%+v: got %+v, %v", test, g, err)
		}
		if g != nil && (g.addr != "proxy.example:3128" || g.variable != test.variable) {
			t.Errorf("%+v: got %+v", test, g)
		}
	}
}

func TestCancelWhileTheProxyIsSilent(t *testing.T) {
	for _, scheme := range []string{"http://", "https://", "socks5://"} {
		asked := make(chan struct{}, 9)
		addr := accepting(t, nil, func(conn net.Conn) {
			asked <- struct{}{}
			_, _ = io.Copy(io.Discard, conn)
		})
		proxies(t, map[string]string{"HTTP_PROXY": scheme + addr})
		f := behind(t, Config{DialTimeout: time.Hour})
		<-asked
		f.stop()
	}
}
