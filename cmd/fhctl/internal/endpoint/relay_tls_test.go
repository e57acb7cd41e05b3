package endpoint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
)

// The authorities of the relay are those in the file at each dial.
func TestRelayAuthorityIsReadAgain(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	other := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("none")})
	right := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	env, cfg := &shell.Env{Log: slog.New(slog.DiscardHandler)}, &config.Config{}
	if settings, err := relayTLS(env.Log, cfg); settings != nil || err != nil {
		t.Fatalf("without a file: %v", err)
	}
	cfg.Relay.TLSCA = file
	if err := os.WriteFile(file, other, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := relayTLS(env.Log, cfg); err == nil {
		t.Fatal("a file without an authority is taken")
	}
	if err := os.WriteFile(file, right, 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := relayTLS(env.Log, cfg)
	if err != nil {
		t.Fatal(err)
	}
	dial := func() error {
		cfg := settings()
		cfg.ServerName = "example.com"
		conn, err := tls.Dial("tcp", server.Listener.Addr().String(), cfg)
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	renewed := httptest.NewUnstartedServer(nil)
	pair, authority := selfSigned(t)
	renewed.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	renewed.StartTLS()
	defer renewed.Close()
	again := func() error {
		cfg := settings()
		cfg.ServerName = "relay.test"
		conn, err := tls.Dial("tcp", renewed.Listener.Addr().String(), cfg)
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := again(); err == nil {
		t.Fatal("the renewed certificate is trusted before its authority is known")
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
}

// selfSigned is a certificate for relay.test that is its own authority.
func selfSigned(t *testing.T) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"relay.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, leaf
}
