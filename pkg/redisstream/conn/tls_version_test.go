package conn

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
)

// A Redis that speaks nothing newer than TLS 1.1 is not used, however its URL
// is written.
func TestTLSBelow12IsRefused(t *testing.T) {
	t.Parallel()
	cert, key := storetest.Certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	storetest.Must(t, err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	})
	storetest.Must(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	for _, url := range []string{"rediss://" + listener.Addr().String(), "rediss-cluster://" + listener.Addr().String()} {
		client, err := Dial(Connection{URL: url, TLS: TLS{CA: cert}, CommandTimeout: 5 * time.Second})
		storetest.Must(t, err)
		if err := client.Ping(t.Context()).Err(); err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("%s: got %v, want a refusal of the protocol version", url, err)
		}
		_ = client.Close()
	}
	for _, url := range []string{"rediss://h:1", "rediss-cluster://h:1", "rediss-sentinel://h:1/m"} {
		parsed, err := Parse(Connection{URL: url})
		storetest.Must(t, err)
		if got := parsed.options.TLSConfig.MinVersion; got < tls.VersionTLS12 {
			t.Errorf("%s: lowest version %x", url, got)
		}
	}
}
