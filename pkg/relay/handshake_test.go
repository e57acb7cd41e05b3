package relay

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// speaking is a host that reads a request's head and then does what it likes
// with the socket; its address is HOST:PORT.
func speaking(t *testing.T, settings *tls.Config, say func(conn net.Conn)) string {
	t.Helper()
	return accepting(t, settings, func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 4<<10)); err == nil {
			say(conn)
		}
	})
}

// accepting serves each connection with a function of its own.
func accepting(t *testing.T, settings *tls.Config, serve func(conn net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if settings != nil {
					conn = tls.Server(conn, settings)
				}
				serve(conn)
			}()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-served })
	return listener.Addr().String()
}

// endlessly repeats a text behind a beginning until nobody reads any more, or
// 64 MiB are gone.
func endlessly(begin, text string) func(net.Conn) {
	block := []byte(strings.Repeat(text, 64<<10/len(text)+1))
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, begin)
		for sent := 0; err == nil && sent < 64<<20; sent += len(block) {
			_, err = conn.Write(block)
		}
	}
}

// counting notes what is read from the connections of a dial.
type counting struct {
	net.Conn
	read *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

var handshakeAttacks = map[string][2]string{
	"status line":       {"", "HTTP/1.1 101 "},
	"first byte":        {"", "\x00"},
	"one header":        {"HTTP/1.1 101 Switching Protocols\r\nX: ", "aaaaaaaa"},
	"many headers":      {"HTTP/1.1 101 Switching Protocols\r\n", "X-Y: z\r\n"},
	"folded header":     {"HTTP/1.1 101 Switching Protocols\r\nX: y\r\n", " y\r\n"},
	"redirect":          {"HTTP/1.1 302 Found\r\nLocation: /", "aaaa"},
	"chunk extension":   {"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1", ";aaaa"},
	"informational":     {"", "HTTP/1.1 100 Continue\r\n\r\n"},
	"body of a refusal": {"HTTP/1.1 503 Unavailable\r\nContent-Length: 999999999999\r\n\r\n", "<html>"},
}

// Whatever a host sends instead of an upgrade, a dial reads 256 KiB of it at
// most: an endless header line took gigabytes in seconds.
func TestHandshakeIsBounded(t *testing.T) {
	issued, trust := certificate(t, nil)
	for name, attack := range handshakeAttacks {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tls=%t", name, secure), func(t *testing.T) {
				scheme, settings := "ws://", (*tls.Config)(nil)
				if secure {
					scheme, settings = "wss://", &tls.Config{Certificates: issued.TLS.Certificates}
				}
				wantBoundedDial(t, scheme+speaking(t, settings, endlessly(attack[0], attack[1])), trust)
			})
		}
	}
}

// Redirects share what one dial may read.
func TestHandshakeIsBoundedBehindARedirect(t *testing.T) {
	long := strings.Repeat("X-Filler: "+strings.Repeat("y", 1000)+"\r\n", 60) // 60 KiB each
	addr := speaking(t, nil, func(conn net.Conn) {
		fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\n%sLocation: /\r\n\r\n", long)
	})
	if err := wantBoundedDial(t, "ws://"+addr, nil); !strings.Contains(err.Error(), "256 KiB") {
		t.Errorf("each redirect was as long as it liked: %v", err)
	}
	addr = speaking(t, nil, endlessly("HTTP/1.1 101 ", "a"))
	wantBoundedDial(t, answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "ws://"+addr+Path)
		w.WriteHeader(http.StatusFound)
	}), nil)
}

func wantBoundedDial(t *testing.T, url string, trust *tls.Config) error {
	t.Helper()
	return wantBoundedDialOf(t, settings(t, url, Config{}).Endpoint, trust)
}

func wantBoundedDialOf(t *testing.T, endpoint Endpoint, trust *tls.Config) error {
	t.Helper()
	var read atomic.Int64
	f := followEndpoint(t, endpoint, oldest, Config{TLS: trust, BackoffMin: time.Hour, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return counting{conn, &read}, err
	}}, nil)
	f.until("the dial failed", func() bool { return len(f.causes()) > 0 })
	f.stop()
	// One buffer may be filled beyond the limit, on each connection.
	if got := read.Load(); got > handshakeBytes+2*wireBuffer {
		t.Errorf("read %d bytes of what is no upgrade, want %d at most", got, handshakeBytes)
	}
	if got := f.links[1]; got.Cause == causeDialOther || fault.ClassOf(got.Err) != fault.Unreachable || fault.HintOf(got.Err) == "" {
		t.Errorf("reported %+v", got)
	}
	if len(f.links[1].Err.Error()) > 1000 {
		t.Errorf("an error of %d bytes", len(f.links[1].Err.Error()))
	}
	return f.links[1].Err
}

// A host that goes on answering, a little at a time or with one redirect after
// another, has the dial timeout for all of it.
func TestDialTimeoutBoundsTheWholeDial(t *testing.T) {
	trickle := speaking(t, nil, func(conn net.Conn) {
		for err := error(nil); err == nil; {
			_, err = io.WriteString(conn, "X")
			time.Sleep(5 * time.Millisecond)
		}
	})
	hops := speaking(t, nil, func(conn net.Conn) {
		time.Sleep(60 * time.Millisecond)
		_, _ = io.WriteString(conn, "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n")
	})
	for _, addr := range []string{trickle, hops} {
		f := follow(t, "ws://"+addr, oldest, Config{DialTimeout: 150 * time.Millisecond, BackoffMin: time.Hour}, nil)
		f.until("the dial failed", func() bool { return len(f.causes()) > 0 })
		f.stop()
		if got := f.causes()[0]; got != causeDialTimeout {
			t.Errorf("cause %s: %v", got, f.links[1].Err)
		}
		if err := f.links[1].Err; errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is taken for the end of a context", err)
		}
	}
}

// What comes with the last byte of the upgrade is the stream's and not bounded.
func TestFramesRightBehindTheUpgrade(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		message := upgraded(r)
		for seq := event.Seq(1); seq <= 20_000; seq++ {
			frame := relaytest.Identity(seq)
			message = append(append(message, 0x82, byte(len(frame))), frame...)
		}
		_, _ = conn.Write(message)
		_, _ = conn.Read(make([]byte, 1))
	})
	f := follow(t, url, oldest, Config{}, nil)
	f.untilSeq(20_000)
	f.stop()
	if !slices.Equal(f.causes(), []string{causeStopped}) {
		t.Errorf("causes %v", f.causes())
	}
}

// A 101 that is no upgrade says what is wrong with it.
func TestBadUpgradeNamesTheHeader(t *testing.T) {
	const u, c = "Upgrade: websocket\r\n", "Connection: keep-alive, Upgrade\r\n"
	for want, head := range map[string]string{
		"without the header Upgrade: websocket":        c + "Sec-WebSocket-Accept: KEY\r\n",
		"without the header Connection: Upgrade":       u + "Connection: close\r\nSec-WebSocket-Accept: KEY\r\n",
		"without the header Sec-WebSocket-Accept":      u + c,
		"Sec-WebSocket-Accept that does not fit":       u + c + "Sec-WebSocket-Accept: bm9uc2Vuc2U=\r\n",
		"Sec-WebSocket-Extensions that was not":        u + c + "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n",
		"with a Sec-WebSocket-Extensions that was not": u + c + "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
		"Sec-WebSocket-Protocol that was not offered":  u + c + "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: xrpc.v1.json\r\n",
	} {
		t.Run(want, func(t *testing.T) {
			url := answering(t, func(w http.ResponseWriter, r *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\n%s\r\n", strings.Replace(head, "KEY", acceptKey(r), 1))
				_, _ = conn.Read(make([]byte, 1))
			})
			f := follow(t, url, oldest, Config{BackoffMin: time.Hour}, nil)
			f.until("the dial failed", func() bool { return len(f.causes()) > 0 })
			f.stop()
			got := f.links[1]
			if got.Cause != causeHandshake || !strings.Contains(got.Err.Error(), want) || fault.HintOf(got.Err) == "" {
				t.Errorf("got %s: %v, want %q", got.Cause, got.Err, want)
			}
		})
	}
}

func acceptKey(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// A relay that was read before and answers now as if it were none is asked
// again, slowly; nobody who runs for weeks ends because of a maintenance page.
func TestC5FinalOnlyBeforeTheFirstSuccess(t *testing.T) {
	for name, refuse := range map[string]func(w http.ResponseWriter){
		"405":                func(w http.ResponseWriter) { w.WriteHeader(405) },
		"426":                func(w http.ResponseWriter) { w.WriteHeader(426) },
		"501":                func(w http.ResponseWriter) { w.WriteHeader(501) },
		"redirect":           func(w http.ResponseWriter) { w.Header().Set("Location", "https://status.example/"); w.WriteHeader(302) },
		"redirect in circle": func(w http.ResponseWriter) { w.Header().Set("Location", Path); w.WriteHeader(302) },
		"cleartext":          func(w http.ResponseWriter) { w.Header().Set("Location", "http://status.example/"); w.WriteHeader(302) },
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			url := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if requests++; requests > 1 {
					refuse(w)
					return
				}
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				frame := relaytest.Identity(1)
				_, _ = conn.Write(append(append(upgraded(r), 0x82, byte(len(frame))), frame...))
			})
			f := follow(t, url, oldest, Config{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if strings.HasPrefix(addr, "status.example") {
					return nil, io.EOF // the redirect that is fine leads nowhere
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}}, nil)
			f.until("it was refused", func() bool { return len(f.causes()) > 1 })
			f.stop()
			refused := f.links[4]   // dialing, up, down, dialing, and this
			if name == "redirect" { // followed: to a host that is none
				if refused.Retry > time.Second || len(f.alarms) > 0 {
					t.Errorf("%+v, alarms %v", refused, f.alarms)
				}
				return
			}
			if f.err != nil || refused.Retry != refusedWaitMin || len(f.alarms) != 1 || !strings.HasPrefix(f.alarms[0], "relay_refuses: ") {
				t.Errorf("ended with %v, links %+v, alarms %v", f.err, f.links, f.alarms)
			}
		})
	}
}

// The alarm is raised once, and again only after the relay was back.
func TestC5RefusalsAfterASuccessAreOneAlarm(t *testing.T) {
	f := &following{Source: New(Config{})}
	alarms := 0
	f.cfg.Alarm = func(event.Alarm, event.Seq, string) { alarms++ }
	var waits []time.Duration
	refuse := func() {
		b := &breach{final: true, err: io.EOF}
		if f.survive(b, event.AfterSeq(7)); b.final {
			t.Fatal("final after a success")
		}
		waits = append(waits, b.wait)
	}
	f.succeeded = true
	for range 5 {
		refuse()
	}
	if want := []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute}; alarms != 1 || !slices.Equal(waits, want) {
		t.Errorf("%d alarms, waits %v", alarms, waits)
	}
	f.refusals = 0 // as a success does
	if refuse(); alarms != 2 {
		t.Errorf("%d alarms", alarms)
	}
	if b := (&breach{final: true, err: io.EOF}); true {
		if (&following{Source: New(Config{})}).survive(b, oldest); !b.final {
			t.Error("passing before the first success")
		}
	}
}
