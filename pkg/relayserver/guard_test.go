package relayserver_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// Clients that never answer make room again: silent ones hold every place only
// until the idle limit has passed.
func TestSilentClientsMakeRoom(t *testing.T) {
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 3), MaxConns: 4, IdleTimeout: 300 * time.Millisecond})
	for range 4 {
		dial(t, server, "") // and reads nothing, so that no ping is answered
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		ws, _, err := websocket.DefaultDialer.Dial(server.URL()+relayserver.Path+"?cursor=0", nil)
		if err == nil {
			defer ws.Close()
			_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
			if got := strings.Join(said(t, ws, 3), " "); got != "1 2 3" {
				t.Errorf("got %s", got)
			}
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatal("silent clients keep their places")
		}
	}
}

// A client that answers pings stays, whether frames come to it or not.
func TestLivingClientsStay(t *testing.T) {
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 1000), IdleTimeout: 200 * time.Millisecond, Rate: 100})
	ws := dial(t, server, "?cursor=0")
	if got := said(t, ws, 100); got[99] != "100" { // a second at least
		t.Errorf("ended after %d frames: %s", len(got), got[len(got)-1])
	}
}

// A client that takes nothing is let go, however large its window.
func TestClientsThatDoNotReadAreLetGo(t *testing.T) {
	log := relayserver.NewMemoryLog(0)
	for seq := event.Seq(1); seq <= 64; seq++ {
		if err := log.Append(seq, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	server := relaytest.Start(t, relayserver.Config{Log: log, WriteTimeout: 100 * time.Millisecond})
	ws := dial(t, server, "?cursor=0")
	go func() { // it sends pings, but reads nothing
		for ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}()
	for server.Sent() == 0 {
		time.Sleep(time.Millisecond)
	}
	for began := time.Now(); server.Conns() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("it is still connected")
		}
	}
}

// ask sends a request as it stands and gives the answer's status and text.
func ask(t *testing.T, server *relayserver.Server, text string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL(), "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		return 0, err.Error()
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return answer.StatusCode, ""
	}
	raw, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	return answer.StatusCode, string(bytes.TrimSpace(raw))
}

// A page that pointed its name at loopback, or connects from another origin, is
// refused; programs are not.
func TestAnswersToItsOwnNamesOnly(t *testing.T) {
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 3)})
	port := server.URL()[strings.LastIndex(server.URL(), ":"):]
	upgrade := "GET " + relayserver.Path + " HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
	for _, c := range []struct {
		host, origin string
		want         int
	}{
		{"127.0.0.1" + port, "", 101}, {"localhost" + port, "", 101}, {"[::1]" + port, "", 101}, {"LOCALHOST.", "", 101}, {"127.0.0.1", "", 101},
		{"127.0.0.1" + port, "Origin: http://127.0.0.1" + port + "\r\n", 101},
		{"evil.example", "", 421}, {"evil.example" + port, "", 421}, {"localhost.evil.example", "", 421}, {"127.0.0.1.nip.io", "", 421},
		{"", "", 421}, {"evil.example", "Origin: http://evil.example\r\n", 421},
		{"127.0.0.1" + port, "Origin: https://evil.example\r\n", 403}, {"127.0.0.1" + port, "Origin: null\r\n", 403},
		{"127.0.0.1" + port, "Origin: http://127.0.0.1:1\r\n", 403},
	} {
		if got, body := ask(t, server, fmt.Sprintf(upgrade, c.host, c.origin)); got != c.want {
			t.Errorf("Host %q %q: %d %s, want %d", c.host, strings.TrimSpace(c.origin), got, body, c.want)
		}
	}
}

func TestRequestsAreBounded(t *testing.T) {
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 3)})
	get := "GET " + relayserver.Path + " HTTP/1.1\r\nHost: localhost\r\n"
	if status, body := ask(t, server, get+"X: "+strings.Repeat("x", 64<<10)+"\r\n\r\n"); status != 431 && status != 0 {
		t.Errorf("a header of 64 KiB: %d %s", status, body)
	}
	ws := dial(t, server, "")
	_ = ws.WriteMessage(websocket.BinaryMessage, make([]byte, 64<<10)) // it may be cut off before its end
	if got := said(t, ws, 9); got[len(got)-1] != "close 1009" && got[len(got)-1] != "end" {
		t.Errorf("a message of 64 KiB: %v", got)
	}
}
