package tlsfiles

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair is a certificate and its key, as PEM.
func pair(t *testing.T, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serial is the number of the client certificate in use.
func serial(t *testing.T, cfg *tls.Config) int64 {
	t.Helper()
	leaf, err := x509.ParseCertificate(cfg.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.SerialNumber.Int64()
}

func TestHalfWrittenFilesKeepTheFormer(t *testing.T) {
	dir := t.TempDir()
	files := Files{CA: filepath.Join(dir, "ca"), Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	cert1, key1 := pair(t, 1)
	cert2, key2 := pair(t, 2)
	write(t, files.CA, cert1)
	write(t, files.Cert, cert1)
	write(t, files.Key, key1)
	var reports []string
	source, err := New(files, nil, func(err error) { reports = append(reports, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	first := source.Config()
	if serial(t, first) != 1 || first.MinVersion < tls.VersionTLS12 {
		t.Fatalf("serial %d, version %x", serial(t, first), first.MinVersion)
	}
	for name, change := range map[string]func(){
		"certificate without its key": func() { write(t, files.Cert, cert2) },
		"half a certificate":          func() { write(t, files.Cert, cert2[:len(cert2)/2]) },
		"empty":                       func() { write(t, files.Cert, ""); write(t, files.Key, "") },
		"no key":                      func() { os.Remove(files.Key) },
		"a directory":                 func() { os.Remove(files.Key); os.Mkdir(files.Key, 0o700) },
		"too large":                   func() { write(t, files.Cert, cert1+strings.Repeat("\n", mostBytes)) },
		"authorities cut short":       func() { write(t, files.CA, cert1+cert2[:len(cert2)-40]) },
		"no authority":                func() { write(t, files.CA, "# none\n") },
	} {
		t.Run(name, func(t *testing.T) {
			reports = nil
			change()
			for range 3 {
				if cfg := source.Config(); serial(t, cfg) != 1 || !cfg.RootCAs.Equal(first.RootCAs) {
					t.Error("the former files are not used on")
				}
			}
			if len(reports) != 1 {
				t.Errorf("reported %d times: %q", len(reports), reports)
			}
			os.RemoveAll(files.Key)
			write(t, files.CA, cert1)
			write(t, files.Cert, cert1)
			write(t, files.Key, key1)
			source.Config()
		})
	}
	write(t, files.CA, cert1+cert2)
	write(t, files.Cert, cert2)
	write(t, files.Key, key2)
	reports = nil
	if cfg := source.Config(); serial(t, cfg) != 2 || cfg.RootCAs.Equal(first.RootCAs) || len(reports) != 0 {
		t.Errorf("renewed files are not used (%q)", reports)
	}
	// What renews by links, as a mounted secret does.
	if err := os.Remove(files.CA); err != nil {
		t.Fatal(err)
	}
	write(t, files.CA+".new", cert2)
	if err := os.Symlink(files.CA+".new", files.CA); err != nil {
		t.Skip(err)
	}
	before := source.Config().RootCAs
	if before.Equal(first.RootCAs) {
		t.Error("a link is not followed")
	}
}

func TestUnusableFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, 1)
	_, other := pair(t, 2)
	for name, text := range map[string]string{"cert": cert, "key": key, "other": other, "none": "", "text": "nothing"} {
		write(t, filepath.Join(dir, name), text)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, files := range []Files{
		{CA: at("missing")}, {CA: at("none")}, {CA: at("text")}, {CA: dir}, {CA: os.DevNull},
		{Cert: at("cert")}, {Key: at("key")}, {Cert: at("cert"), Key: at("other")}, {Cert: at("cert"), Key: at("missing")}, {Cert: at("key"), Key: at("cert")},
	} {
		if _, err := New(files, nil, nil); err == nil {
			t.Errorf("%+v is taken", files)
		}
	}
	for _, files := range []Files{{}, {CA: at("cert")}, {Cert: at("cert"), Key: at("key")}} {
		source, err := New(files, &tls.Config{ServerName: "x"}, nil)
		if err != nil || source.Config().ServerName != "x" {
			t.Errorf("%+v: %v", files, err)
		}
	}
}
