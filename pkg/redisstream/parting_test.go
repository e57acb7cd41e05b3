package redisstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// What a server says before it closes is told, whether it was asked or not.
func TestLastWordsAreTold(t *testing.T) {
	answers := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			var some [512]byte
			_, _ = conn.Read(some[:])
			_, _ = io.WriteString(conn, text)
		}
	}
	for name, c := range map[string]struct {
		peer   func(net.Conn)
		scheme string
		class  fault.Class
		says   string // in the error
		hint   string
	}{
		"protected mode": {peer: func(conn net.Conn) { _, _ = io.WriteString(conn, storetest.Denied) }, class: fault.Refused, says: "protected mode", hint: "requirepass"},
		"too many": {peer: func(conn net.Conn) { _, _ = io.WriteString(conn, "-ERR max number of clients reached\r\n") },
			class: fault.Unreachable, says: "max number of clients"},
		"a proxy without HELLO": {peer: answers("-ERR unknown command 'hello'\r\n"), class: fault.Unreachable, says: "unknown command 'hello'", hint: "proxy"},
		"a proxy that closes":   {peer: answers(""), class: fault.Unreachable, says: "without an answer", hint: "rediss://"},
		"closed at once":        {peer: func(net.Conn) {}, class: fault.Unreachable, says: "without an answer", hint: "HELLO"},
		"a web server":          {peer: answers("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), class: fault.Unreachable, says: "HTTP", hint: "what listens"},
		"an SSH server":         {peer: func(conn net.Conn) { _, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.6\r\n") }, class: fault.Unreachable, says: "SSH-2.0", hint: "what listens"},
		"TLS":                   {peer: answers("\x15\x03\x01\x00\x02\x02\x46"), class: fault.Unreachable, says: "answers in TLS", hint: "rediss://"},
		"mute":                  {peer: func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, scheme: "rediss", class: fault.Unreachable, says: "TLS handshake", hint: "redis://"},
		"no TLS":                {peer: answers("-ERR unknown command\r\n"), scheme: "rediss", class: fault.Unreachable, says: "does not speak TLS", hint: "redis://"},
		"closed in TLS":         {peer: answers(""), scheme: "rediss", class: fault.Unreachable, says: "closed the connection", hint: "TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := cmp.Or(c.scheme, "redis") + "://" + storetest.StartPeer(t, c.peer)
			for _, with := range []string{url, strings.Replace(url, "://", "://:secret@", 1), url + "/1"} {
				_, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: with, CommandTimeout: 300 * time.Millisecond}})
				storetest.WantErr(t, err, c.class)
				if !strings.Contains(err.Error(), c.says) || !strings.Contains(fault.HintOf(err), c.hint) {
					t.Errorf("%s: %v\nhint: %s\nwant %q and %q", with, err, fault.HintOf(err), c.says, c.hint)
				}
			}
		})
	}
}

// The same of real servers.
func TestTLSMismatchesOfARealServerAreNamed(t *testing.T) {
	redistest.RequireReal(t)
	cert, key := storetest.Certificate(t)
	port := redistest.FreePort(t)
	server := redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--maxclients", "10")
	if strings.Contains(server.Log(), "TLS") {
		t.Skip("this redis-server was built without TLS")
	}
	_, plain, _ := net.SplitHostPort(server.Addr())
	for name, c := range map[string]struct {
		url        string
		files      conn.TLS
		says, hint string
	}{
		"no TLS to a TLS port":        {"redis://127.0.0.1:" + port, conn.TLS{}, "", "rediss://"},
		"TLS to a plain port":         {"rediss://127.0.0.1:" + plain, conn.TLS{}, "TLS", "redis://"},
		"no client certificate":       {"rediss://127.0.0.1:" + port, conn.TLS{CA: cert}, "TLS", "client certificate"},
		"an authority nobody trusts":  {"rediss://127.0.0.1:" + port, conn.TLS{Cert: cert, Key: key}, "unknown authority", "CA file"},
		"cluster, no TLS to TLS":      {"redis-cluster://127.0.0.1:" + port, conn.TLS{}, "", "rediss://"},
		"Sentinel, TLS to plain":      {"rediss-sentinel://127.0.0.1:" + plain + "/m", conn.TLS{}, "TLS", "redis://"},
		"Sentinel, no client's":       {"rediss-sentinel://127.0.0.1:" + port + "/m", conn.TLS{CA: cert}, "TLS", "client certificate"},
		"cluster, unknown authority":  {"rediss-cluster://127.0.0.1:" + port, conn.TLS{Cert: cert, Key: key}, "unknown authority", "CA file"},
		"cluster, no client's either": {"rediss-cluster://127.0.0.1:" + port, conn.TLS{CA: cert}, "TLS", "client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				_, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: c.url, TLS: c.files, CommandTimeout: 800 * time.Millisecond}})
				storetest.WantErr(t, err, fault.Unreachable)
				if !strings.Contains(err.Error(), c.says) || !strings.Contains(fault.HintOf(err), c.hint) {
					t.Errorf("%v\nhint: %s", err, fault.HintOf(err))
				}
			}
		})
	}
}

func TestTooManyClientsAreNamed(t *testing.T) {
	redistest.RequireReal(t)
	server := redistest.Start(t, "--maxclients", "2")
	for range 2 {
		conn, err := net.Dial("tcp", server.Addr())
		storetest.Must(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "PING\r\n")
		storetest.Must(t, err)
		_, err = conn.Read(make([]byte, 16))
		storetest.Must(t, err)
	}
	for range 10 {
		_, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: server.URL(), CommandTimeout: time.Second}})
		storetest.WantErr(t, err, fault.Unreachable)
		if !strings.Contains(err.Error(), "max number of clients") {
			t.Errorf("got %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	causes := map[string]bool{}
	_, err := Open(ctx, Config{Connection: conn.Connection{URL: server.URL()}, Notify: func(s event.Store) { causes[s.Cause] = true }})
	storetest.WantErr(t, err, fault.Unreachable)
	if !causes["max_clients"] || len(causes) != 1 {
		t.Errorf("causes are %v", causes)
	}
}

// A certificate that is renewed is used by the next connection, and one that is
// half written is not. What changed on either side is told as TLS.
func TestTLSFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	oldCert, oldKey := storetest.Certificate(t)
	newCert, newKey := storetest.Certificate(t)
	files := conn.TLS{CA: copied(t, oldCert), Cert: copied(t, oldCert), Key: copied(t, oldKey)}
	var mu sync.Mutex
	serving := tlsFor(t, oldCert, oldKey)
	backend := startEmbedded(t)
	addr := storetest.StartPeer(t, func(conn net.Conn) {
		mu.Lock()
		cfg := serving
		mu.Unlock()
		secure := tls.Server(conn, cfg)
		server, err := net.Dial("tcp", backend.Addr())
		if err != nil {
			return
		}
		defer server.Close()
		go func() { _, _ = io.Copy(secure, server); _ = conn.Close() }()
		_, _ = io.Copy(server, secure)
	})
	log := &storetest.Log{}
	client, err := conn.Dial(conn.Connection{URL: "rediss://" + addr, TLS: files, CommandTimeout: 5 * time.Second, Logger: storetest.LogTo(log)})
	storetest.Must(t, err)
	defer client.Close()
	ping := func() error {
		// The connection ends, and the command after the next dials.
		_ = client.Do(t.Context(), "QUIT").Err()
		_ = client.Ping(t.Context())
		return client.Ping(t.Context()).Err()
	}
	storetest.Must(t, client.Ping(t.Context()).Err())

	mu.Lock()
	serving = tlsFor(t, newCert, newKey)
	mu.Unlock()
	storetest.Eventually(t, "the refusal", func() bool { err = ping(); return err != nil })
	if conn.CauseOf(err) != "tls" {
		t.Errorf("cause %q of %v", conn.CauseOf(err), err)
	}
	// Half written: the certificate without its key. The former pair is used on.
	rewrite(t, files.CA, newCert)
	rewrite(t, files.Cert, newCert)
	storetest.Eventually(t, "a refusal of the former pair", func() bool { err = ping(); return err != nil && strings.Contains(err.Error(), "remote error: tls:") })
	if conn.CauseOf(err) != "tls" || !strings.Contains(fault.HintOf(conn.Connection{}.Classed(t.Context(), "ping", err)), "client certificate") {
		t.Errorf("cause %q of %v", conn.CauseOf(err), err)
	}
	rewrite(t, files.Key, newKey)
	storetest.Eventually(t, "the renewed pair", func() bool { return ping() == nil })
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, log)
	}
}

// tlsFor is a server's settings with one certificate, which is also the only
// authority it accepts clients of.
func tlsFor(t *testing.T, cert, key string) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	storetest.Must(t, err)
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(cert)
	storetest.Must(t, err)
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
}

func copied(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy.pem")
	rewrite(t, to, from)
	return to
}

// rewrite puts what one file holds into another, as whoever renews it does.
func rewrite(t *testing.T, file, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	storetest.Must(t, err)
	// In one step: a connection that dials meanwhile would read half of it, and say so.
	storetest.Must(t, os.WriteFile(file+".new", text, 0o600))
	storetest.Must(t, os.Rename(file+".new", file))
}
