package conn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// keepAlive finds a peer that vanished, as go-redis' own dialler does.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}

// dialer opens connections within a time, TLS included. Each handshake uses the
// TLS files as they are then.
func (t *Target) dialer(limit, handshake time.Duration) func(context.Context, string, string) (net.Conn, error) {
	network := net.Dialer{KeepAliveConfig: keepAlive}
	return func(ctx context.Context, proto, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		conn, err := network.DialContext(ctx, proto, addr)
		if err != nil || t.tls == nil {
			return conn, err
		}
		// A handshake without an answer ends before the dial does, so that it
		// is told as one.
		shaking, done := context.WithTimeout(ctx, handshake)
		defer done()
		secure, err := shake(shaking, conn, t.tls.Config(), addr)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secure, nil
	}
}

func shake(ctx context.Context, conn net.Conn, cfg *tls.Config, addr string) (net.Conn, error) {
	if cfg.ServerName == "" {
		// In a cluster, and with Sentinel, it differs from node to node.
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		cfg.ServerName = host
	}
	secure := tls.Client(conn, cfg)
	err := secure.HandshakeContext(ctx)
	if err == nil {
		return secure, nil
	}
	return nil, handshakeError(addr, err)
}

// handshakeError says what a failed handshake means.
func handshakeError(addr string, err error) error {
	bad := &peerError{cause: "tls", what: "TLS handshake with " + addr, hint: tlsHint, err: err}
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &record):
		bad.what, bad.hint = fmt.Sprintf("TLS handshake with %s: it does not speak TLS", addr), tlsRefusedHint
	case IsCertificate(err):
		bad.hint = untrustedHint
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		// The context's own error would be taken for the end of the caller's.
		bad.what, bad.hint, bad.err = fmt.Sprintf("TLS handshake with %s: no answer; perhaps the port does not speak TLS", addr), tlsRefusedHint, nil
	case closedByPeer(err):
		bad.what = fmt.Sprintf("TLS handshake with %s: the server closed the connection", addr)
	}
	return bad
}
