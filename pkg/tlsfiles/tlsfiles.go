package tlsfiles

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"

	"github.com/fhctl/fhctl/pkg/files"
)

// Files names PEM files; "" is none. Cert and Key are used together.
type Files struct {
	CA        string // authorities, instead of the system's
	Cert, Key string // the client's certificate
}

// mostBytes is far above what a bundle of all public authorities takes.
const mostBytes = 4 << 20

// Source gives the settings of one handshake after another. Its methods may be
// called from any goroutine.
type Source struct {
	files  Files
	base   *tls.Config
	report func(error)

	mu   sync.Mutex
	ca   part[*x509.CertPool]
	pair part[tls.Certificate]
}

// part is what was made from some of the files.
type part[T any] struct {
	made  T
	read  [2][]byte // what it was made from
	wrong string    // what was reported last
}

// New reads the files, once now. base is copied and may be nil; nothing below TLS
// 1.2 is spoken. report hears of files that cannot be used later on, once for each
// state they are in; it may be nil. An error says which file is unusable, and why.
func New(names Files, base *tls.Config, report func(error)) (*Source, error) {
	if base = base.Clone(); base == nil {
		base = &tls.Config{}
	}
	base.MinVersion = max(base.MinVersion, tls.VersionTLS12)
	if report == nil {
		report = func(error) {}
	}
	s := &Source{files: names, base: base, report: report}
	if err := s.readCA(); err != nil {
		return nil, err
	}
	if err := s.readPair(); err != nil {
		return nil, err
	}
	return s, nil
}

// Config is what the next handshake should use. The caller owns it.
func (s *Source) Config() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ca.again(s.readCA, s.report)
	s.pair.again(s.readPair, s.report)
	cfg := s.base.Clone()
	if s.files.CA != "" {
		cfg.RootCAs = s.ca.made
	}
	if s.files.Cert != "" {
		cfg.Certificates = []tls.Certificate{s.pair.made}
	}
	return cfg
}

// again reads a part, and keeps it as it was where that fails.
func (p *part[T]) again(read func() error, report func(error)) {
	err := read()
	switch {
	case err == nil:
		p.wrong = ""
	case p.wrong != err.Error():
		p.wrong = err.Error()
		report(err)
	}
}

func (s *Source) readCA() error {
	if s.files.CA == "" {
		return nil
	}
	pem, err := read(s.files.CA)
	if err != nil {
		return fmt.Errorf("read authorities: %w", err)
	}
	if s.ca.made != nil && bytes.Equal(pem, s.ca.read[0]) {
		return nil
	}
	// A bundle that ends within a certificate is being written.
	if _, rest, found := cutLast(pem, "-----BEGIN "); found && !bytes.Contains(rest, []byte("-----END ")) {
		return fmt.Errorf("read authorities %s: it ends within a certificate", s.files.CA)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("read authorities %s: no certificate in it", s.files.CA)
	}
	s.ca.made, s.ca.read[0] = roots, pem
	return nil
}

func (s *Source) readPair() error {
	if s.files.Cert == "" && s.files.Key == "" {
		return nil
	}
	cert, err := read(s.files.Cert)
	if err != nil {
		return fmt.Errorf("read client certificate: %w", err)
	}
	key, err := read(s.files.Key)
	if err != nil {
		return fmt.Errorf("read key of the client certificate: %w", err)
	}
	if s.pair.made.Leaf != nil && bytes.Equal(cert, s.pair.read[0]) && bytes.Equal(key, s.pair.read[1]) {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("read client certificate %s and its key %s: %w", s.files.Cert, s.files.Key, err)
	}
	s.pair.made, s.pair.read = pair, [2][]byte{cert, key}
	return nil
}

func cutLast(text []byte, sep string) (before, after []byte, found bool) {
	at := bytes.LastIndex(text, []byte(sep))
	if at < 0 {
		return text, nil, false
	}
	return text[:at], text[at+len(sep):], true
}

// read takes regular files only: a pipe would wait for a writer, and a device may
// never end.
func read(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("no file is named; certificate and key are needed both")
	}
	return files.Read(path, mostBytes)
}
