package relayserver_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// TestMain fails when a goroutine outlives its server.
func TestMain(m *testing.M) { os.Exit(relaytest.Run(m)) }

// dial connects with a query such as "?cursor=3".
func dial(t *testing.T, server *relayserver.Server, query string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(server.URL()+relayserver.Path+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	return ws
}

// said is what a connection carried, one word each: a seq, a type or a fault,
// until it ended.
func said(t *testing.T, ws *websocket.Conn, atMost int) (words []string) {
	t.Helper()
	for range atMost {
		kind, frame, err := ws.ReadMessage()
		var closed *websocket.CloseError
		if errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure {
			return append(words, "close "+strconv.Itoa(closed.Code))
		}
		if err != nil {
			return append(words, "end")
		}
		words = append(words, word(kind, frame))
	}
	return words
}

func word(kind int, frame []byte) string {
	names := []string{"FutureCursor", "OutdatedCursor", "ConsumerTooSlow", "#unknown"}
	for _, name := range names {
		if bytes.Contains(frame, []byte(name)) {
			return name
		}
	}
	switch {
	case kind == websocket.TextMessage:
		return "text"
	case len(frame) == 0:
		return "empty"
	case relaytest.Seq(frame) > 0:
		return relaytest.Seq(frame).String()
	}
	return strconv.Itoa(len(frame)) + "B"
}

func TestCursorDialects(t *testing.T) {
	type config = relayserver.Config
	for name, test := range map[string]struct {
		cfg   config
		query string
		want  string
	}{
		"Q4/none is live":       {config{}, "", "close 1000"},
		"Q4/zero is the window": {config{}, "?cursor=0", "11 12 13 14 close 1000"},
		"Q3/exclusive":          {config{}, "?cursor=12", "13 14 close 1000"},
		"Q3/inclusive":          {config{Inclusive: true}, "?cursor=12", "12 13 14 close 1000"},
		"Q5/told":               {config{}, "?cursor=5", "OutdatedCursor 11 12 13 14 close 1000"},
		"Q5/silent":             {config{OutdatedIsSilent: true}, "?cursor=5", "11 12 13 14 close 1000"},
		"Q5/just in the window": {config{}, "?cursor=10", "11 12 13 14 close 1000"},
		"Q6/told":               {config{}, "?cursor=15", "FutureCursor close 1008"},
		"Q6/silent":             {config{FutureGoesLive: true}, "?cursor=15", "close 1000"},
		"Q6/the newest is fine": {config{}, "?cursor=14", "close 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			log := relaytest.Log(t, 11, 14)
			log.End()
			test.cfg.Log, test.cfg.EndOnEOF = log, true
			server := relaytest.Start(t, test.cfg)
			got := strings.Join(said(t, dial(t, server, test.query), 99), " ")
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestFaultsStrike(t *testing.T) {
	for text, want := range map[string]string{
		"drop@3":         "1 2 end",
		"cut@3":          "1 2 end",
		"stall@3:1ms":    "1 2 3 4 5 close 1000",
		"slow@3:1ms":     "1 2 3 4 5 close 1000",
		"repeat@4:2":     "1 2 3 2 3 4 5 close 1000",
		"regress@4:3":    "1 2 3 1 4 5 close 1000",
		"leap@3":         "1 2 9007199254740991 3 4 5 close 1000",
		"leap@3:1000000": "1 2 1000003 3 4 5 close 1000",
		"time@3:9":       "1 2 3 4 5 close 1000",
		"skip@3:2":       "1 2 5 close 1000",
		"text@3":         "1 2 text 3 4 5 close 1000",
		"empty@3":        "1 2 empty 3 4 5 close 1000",
		"garbage@3:9":    "1 2 9B 3 4 5 close 1000",
		"unknown@3":      "1 2 #unknown 3 4 5 close 1000",
		"info@3":         "1 2 OutdatedCursor 3 4 5 close 1000",
		"error@3":        "1 2 ConsumerTooSlow close 1008",
		"close@3:1012":   "1 2 close 1012",
		"oversize@3:777": "1 2 777B 3 4 5 close 1000",
		"http@3:503":     "1 2 end",
		"empty%2":        "1 empty 2 3 empty 4 5 close 1000",
	} {
		t.Run(text, func(t *testing.T) {
			log := relaytest.Log(t, 1, 5)
			log.End()
			server := relaytest.Start(t, relayserver.Config{Log: log, EndOnEOF: true, Faults: relaytest.Faults(t, text)})
			if got := strings.Join(said(t, dial(t, server, "?cursor=0"), 99), " "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			kind := text[:strings.IndexAny(text, "@%")]
			if got := server.Injected(); got[kind] == 0 || len(got) != 1 {
				t.Errorf("counted %v, want only %s", got, kind)
			}
		})
	}
}

func TestResetFaultLeavesNoCloseMessage(t *testing.T) {
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 5), Faults: relaytest.Faults(t, "reset@3")})
	words := said(t, dial(t, server, "?cursor=0"), 99)
	if words[len(words)-1] != "end" || server.Injected()["reset"] != 1 {
		t.Errorf("got %v", words)
	}
}

func TestHTTPFaultRefusesTheNextRequest(t *testing.T) {
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 5), Faults: relaytest.Faults(t, "http@3:429/7")})
	said(t, dial(t, server, "?cursor=0"), 99)
	_, answer, err := websocket.DefaultDialer.Dial(server.URL()+relayserver.Path, nil)
	if err == nil || answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") != "7" {
		t.Errorf("got %v, %v", answer, err)
	}
	said(t, dial(t, server, "?cursor=2"), 3)
	if got := server.Requests(); len(got) != 3 || got[1].Status != 429 || got[2].Cursor != "2" || got[2].Status != 101 {
		t.Errorf("remembered %+v", got)
	}
}

func TestServerBoundsConnections(t *testing.T) {
	server := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 1), MaxConns: 1})
	dial(t, server, "")
	_, answer, err := websocket.DefaultDialer.Dial(server.URL()+relayserver.Path, nil)
	if err == nil || answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %v, want 503", err)
	}
	_, answer, err = websocket.DefaultDialer.Dial(server.URL()+"/elsewhere", nil)
	if err == nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("got %v, want 404", err)
	}
}

func TestServerRefusesConfig(t *testing.T) {
	log := relayserver.NewMemoryLog(0)
	for name, cfg := range map[string]relayserver.Config{
		"no log":       {},
		"not loopback": {Log: log, Addr: "0.0.0.0:0"},
		"every host":   {Log: log, Addr: ":0"},
		"no port":      {Log: log, Addr: "localhost"},
		"bad fault":    {Log: log, Faults: []relayserver.Fault{{Kind: "bang", At: 1}}},
		"no ordinal":   {Log: log, Faults: []relayserver.Fault{{Kind: "drop"}}},
	} {
		if _, err := relayserver.Start(cfg); fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: got %v, want a usage error", name, err)
		}
	}
}

func TestServerFollowsTheLogLive(t *testing.T) {
	log := relaytest.Log(t, 1, 3)
	server := relaytest.Start(t, relayserver.Config{Log: log, PingEvery: 2 * time.Millisecond})
	ws := dial(t, server, "")
	for server.Conns() == 0 {
		time.Sleep(time.Millisecond)
	}
	pinged := make(chan struct{})
	ws.SetPingHandler(func(string) error {
		select {
		case <-pinged:
		default:
			// Being pinged, the connection is streaming: what is appended
			// now is live to it.
			close(pinged)
			relaytest.Extend(t, log, 4, 5)
		}
		return nil
	})
	if got := strings.Join(said(t, ws, 2), " "); got != "4 5" {
		t.Errorf("got %s, want 4 5", got)
	}
	server.Disconnect(1001)
	if got := strings.Join(said(t, ws, 2), " "); got != "close 1001" {
		t.Errorf("got %s, want close 1001", got)
	}
}

func TestCloseEndsClientsThatDoNotRead(t *testing.T) {
	log := relayserver.NewMemoryLog(0)
	for seq := event.Seq(1); seq <= 64; seq++ {
		if err := log.Append(seq, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	server := relaytest.Start(t, relayserver.Config{Log: log})
	ws := dial(t, server, "?cursor=0")
	for server.Sent() == 0 {
		time.Sleep(time.Millisecond)
	}
	server.Close()
	if _, err := io.Copy(io.Discard, ws.NetConn()); server.Conns() != 0 {
		t.Errorf("%d connections are left after Close (%v)", server.Conns(), err)
	}
}
