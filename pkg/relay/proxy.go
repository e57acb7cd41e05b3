package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"

	"github.com/fhctl/fhctl/pkg/fault"
)

// proxyPorts are the kinds of proxy that are spoken to, and their usual ports.
// A socks5 proxy resolves the relay's name itself, as socks5h asks for: both
// words mean the same here.
var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// gateway is the proxy between this machine and a relay.
type gateway struct {
	variable string // of the environment, that names it
	scheme   string // a key of proxyPorts
	host     string // without port
	addr     string // HOST:PORT: how people see it, without a password
	user     *url.Userinfo
}

// gatewayTo is the proxy that the environment names for target; nil when it is
// reached directly, as loopback and the hosts of NO_PROXY always are. A value
// that cannot be used is an error of class fault.Usage that never repeats it:
// it might hold a password.
func gatewayTo(target *url.URL) (*gateway, error) {
	seen := url.URL{Scheme: "http", Host: target.Host}
	variables := []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"}
	if target.Scheme == secure {
		seen.Scheme = "https"
		variables[0], variables[1] = "HTTPS_PROXY", "https_proxy"
	}
	variable, value := firstSet(variables)
	if value == "" {
		return nil, nil
	}
	_, except := firstSet([]string{"NO_PROXY", "no_proxy"})
	const any = "http://proxy.invalid" // only whether one is used is asked here
	rules := httpproxy.Config{HTTPProxy: any, HTTPSProxy: any, NoProxy: except}
	if used, err := rules.ProxyFunc()(&seen); err != nil || used == nil {
		return nil, err
	}
	g, what := parseGateway(value)
	if what != "" {
		return nil, fault.New(fault.Usage, fmt.Errorf("the proxy in %s cannot be used: %s", variable, what),
			"write http://HOST:PORT, https://, socks5:// or socks5h://; a user name and password percent-encoded before @")
	}
	g.variable = variable
	return g, nil
}

// Proxy is the HOST:PORT of the proxy that the environment puts before the relay, "" where
// there is none, or none that can be used.
func (e Endpoint) Proxy() string {
	g, err := gatewayTo(&url.URL{Scheme: e.scheme, Host: e.host})
	if err != nil || g == nil {
		return ""
	}
	return g.addr
}

func firstSet(names []string) (name, value string) {
	for _, name := range names {
		if value := strings.TrimSpace(os.Getenv(name)); value != "" {
			return name, value
		}
	}
	return "", ""
}

// parseGateway reads a proxy's address, or says what is wrong with it.
func parseGateway(value string) (g *gateway, what string) {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err != nil {
		return nil, "it is not a URL"
	}
	port, known := proxyPorts[u.Scheme]
	switch {
	case !known:
		return nil, fmt.Sprintf("%.16q is no kind of proxy that is supported", u.Scheme)
	case u.Hostname() == "":
		return nil, "it names no host"
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, "something follows the host and port"
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, "the port is not between 1 and 65535"
	}
	return &gateway{scheme: u.Scheme, host: u.Hostname(), addr: net.JoinHostPort(u.Hostname(), port), user: u.User}, ""
}

// gatewayError is what went wrong before the proxy had connected to the relay.
type gatewayError struct{ err error }

func (e *gatewayError) Error() string { return e.err.Error() }
func (e *gatewayError) Unwrap() error { return e.err }

// connect asks the proxy for a connection to addr. open makes the one to the
// proxy, which connect closes when it fails.
func (g *gateway) connect(ctx context.Context, open dialFunc, addr, agent string, trust *tls.Config) (net.Conn, error) {
	conn, err := g.tunnel(ctx, open, addr, agent, trust)
	if err == nil {
		return conn, nil
	}
	class, hint := fault.ClassOf(err), fault.HintOf(err)
	if hint == "" {
		class, hint = fault.Unreachable, "check the proxy that "+g.variable+" names; NO_PROXY lists the hosts that are reached without it"
	}
	return nil, fault.New(class, &gatewayError{err}, hint)
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// DialContext makes a dialFunc what the SOCKS client wants.
func (f dialFunc) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return f(ctx, network, addr)
}

// Dial is never called: whoever could call it has a context.
func (f dialFunc) Dial(network, addr string) (net.Conn, error) {
	return f(context.Background(), network, addr)
}

func (g *gateway) tunnel(ctx context.Context, open dialFunc, addr, agent string, trust *tls.Config) (net.Conn, error) {
	if strings.HasPrefix(g.scheme, "socks5") {
		return g.socks(ctx, open, addr)
	}
	conn, err := open(ctx, "tcp", g.addr)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a socket that refuses it fails below
	}
	if g.scheme == "https" {
		settings := trust.Clone()
		settings.ServerName, settings.Certificates, settings.GetClientCertificate = g.host, nil, nil
		conn = tls.Client(conn, settings)
	}
	if err := g.ask(conn, addr, agent); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (g *gateway) socks(ctx context.Context, open dialFunc, addr string) (net.Conn, error) {
	var auth *proxy.Auth
	if g.user != nil {
		password, _ := g.user.Password()
		auth = &proxy.Auth{User: g.user.Username(), Password: password}
	}
	dialer, err := proxy.SOCKS5("tcp", g.addr, auth, open)
	if err != nil {
		return nil, err
	}
	return dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", addr)
}

// ask sends CONNECT and reads the answer.
func (g *gateway) ask(conn net.Conn, addr, agent string) error {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": {agent}}}
	if g.user != nil {
		password, _ := g.user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(g.user.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return fmt.Errorf("ask the proxy to connect: %w", err)
	}
	from := bufio.NewReaderSize(conn, 256)
	answer, err := http.ReadResponse(from, request)
	if err != nil {
		return fmt.Errorf("read the proxy's answer: %w", err)
	}
	// The body is never read: Close would read on, and after a success it is
	// the relay's turn.
	if answer.StatusCode/100 == 2 {
		if from.Buffered() > 0 {
			return errors.New("the proxy sends more than the end of its answer")
		}
		return nil
	}
	return g.refusal(answer.StatusCode)
}

func (g *gateway) refusal(code int) error {
	said := fmt.Sprintf("%d %s", code, http.StatusText(code))
	switch {
	case code == http.StatusProxyAuthRequired && g.user == nil:
		return fault.New(fault.Refused, fmt.Errorf("the proxy wants a user name and password (%s)", said),
			"write them, percent-encoded, into "+g.variable+": http://USER:PASSWORD@HOST:PORT")
	case code == http.StatusProxyAuthRequired:
		return fault.New(fault.Refused, fmt.Errorf("the proxy does not take the user name and password of %s (%s)", g.variable, said),
			"correct them; special characters are percent-encoded")
	case code == http.StatusForbidden:
		return fault.New(fault.Refused, fmt.Errorf("the proxy forbids this connection (%s)", said),
			"ask whoever runs the proxy to allow CONNECT to the relay, or list the relay in NO_PROXY")
	}
	return fmt.Errorf("the proxy does not connect to the relay: it answered %s", said)
}
