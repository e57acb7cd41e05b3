package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/health"
)

func requireLines(t *testing.T, text string, want []string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for _, line := range want {
		if !slices.Contains(lines, line) {
			t.Errorf("missing line %s", line)
		}
	}
}

func scrape(t *testing.T, m *health.Monitor) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("/metrics answers %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// serve runs a real server on loopback until the test ends.
func serve(t *testing.T, m *health.Monitor) (url string) {
	t.Helper()
	server, err := m.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v after its context ended", err)
		}
	})
	return "http://" + server.Addr()
}

func ask(t *testing.T, method, url string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, body
}

func TestEndpointsOverHTTP(t *testing.T) {
	m, _ := newMonitor(t)
	url := serve(t, m)
	expect := func(method, path string, status int, part string) {
		t.Helper()
		answer, body := ask(t, method, url+path)
		if answer.StatusCode != status || !strings.Contains(string(body), part) {
			t.Errorf("%s %s: %d %.200s; want %d with %q", method, path, answer.StatusCode, body, status, part)
		}
	}
	expect("GET", "/livez", 200, "ok")
	expect("HEAD", "/livez", 200, "")
	expect("GET", "/readyz", 503, `"reason": "starting"`)
	expect("GET", "/metrics", 200, "fhctl_frames_total 0")
	expect("GET", "/", 200, "/readyz")
	expect("GET", "/debug/pprof/", 404, "")
	expect("GET", "/metrics/x", 404, "")
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
		expect(method, "/livez", 405, "")
		expect(method, "/readyz", 405, "")
		expect(method, "/metrics", 405, "")
	}
	m.Link(up())
	store(m, 7000000123)
	expect("GET", "/readyz", 200, `"ready": true`)
	expect("HEAD", "/readyz", 200, "")
}

func TestReadyzDocument(t *testing.T) {
	m, _ := newMonitor(t)
	url := serve(t, m)
	_, body := ask(t, "GET", url+"/readyz")
	requireJSON(t, body, `{"ready":false,"reason":"starting","detail":"connecting to the relay",
		"relay":{"state":"down","url":"","from":"live","attempt":0},"store":{"state":"unknown","attempt":0},
		"cursor":null,"lastEventTime":null,"lagSeconds":null,"streamLength":null,"version":"1.2.3"}`)

	m.Link(up())
	store(m, 7000000123)
	m.Link(event.Link{
		State: event.LinkDown, URL: "wss://relay.example", From: event.AfterSeq(7000000123),
		Err: errors.New("read relay: reset"), Cause: "reset", Retry: 3 * time.Second, Attempt: 2,
	})
	answer, body := ask(t, "GET", url+"/readyz")
	requireJSON(t, body, `{"ready":false,"reason":"relay_down",
		"detail":"not connected to the relay: read relay: reset; next try in 3s",
		"relay":{"state":"down","url":"wss://relay.example","from":"7000000123","attempt":2,"cause":"reset","error":"read relay: reset","retrySeconds":3},
		"store":{"state":"up","attempt":0},"cursor":"7000000123","lastEventTime":"2026-07-04T11:59:58.5Z","lagSeconds":1.5,
		"streamLength":500123,"version":"1.2.3"}`)
	if answer.StatusCode != 503 || answer.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", answer.StatusCode, answer.Header.Get("Content-Type"))
	}
}

func requireJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("not JSON: %v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	gotText, _ := json.Marshal(g)
	wantText, _ := json.Marshal(w)
	if !bytes.Equal(gotText, wantText) {
		t.Errorf("got  %s\nwant %s", gotText, wantText)
	}
}

// I12: should an error arrive that was not redacted, its URL's password still
// does not leave.
func TestI12NoSecretLeaves(t *testing.T) {
	const canary = "canary-7f3a"
	for _, text := range []string{
		"dial redis://user:" + canary + "@redis.example:6379: refused",
		"dial rediss://:" + canary + "@redis.example:6379/0: refused",
		"dial redis://" + canary + "@redis.example: refused",
		`parse "redis://u:p@ss/` + canary + `@host": bad`,
	} {
		m, _ := newMonitor(t)
		url := serve(t, m)
		m.Link(event.Link{State: event.LinkDown, URL: "wss://u:" + canary + "@relay.example/", Err: errors.New(text), Cause: "x"})
		m.Store(event.Store{Err: errors.New(text), Cause: text})
		for _, path := range []string{"/readyz", "/metrics", "/livez", "/"} {
			if _, body := ask(t, "GET", url+path); bytes.Contains(body, []byte(canary)) {
				t.Errorf("%s shows the secret of %q", path, text)
			}
		}
		if s := m.Snapshot(); strings.Contains(s.Detail, canary) {
			t.Errorf("the snapshot's detail shows it: %s", s.Detail)
		}
	}
}

func TestHostileErrorTextStaysValidAndBounded(t *testing.T) {
	m, _ := newMonitor(t)
	m.Link(event.Link{State: event.LinkDown, Err: errors.New("\x1b[2J\xff\n" + strings.Repeat("é", 100_000)), Cause: "x"})
	body, err := json.Marshal(m.Report())
	if err != nil || len(body) > 4096 || bytes.ContainsAny(body, "\x1b\n") {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestListenFaults(t *testing.T) {
	m, _ := newMonitor(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, addr := range []string{taken.Addr().String(), "nonsense", "127.0.0.1:99999", "127.0.0.1:http-nonsense"} {
		server, err := m.Listen(addr)
		if err == nil {
			server.Close()
			t.Errorf("%s: bound", addr)
			continue
		}
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: class %v, hint %q, %v", addr, fault.ClassOf(err), fault.HintOf(err), err)
		}
	}
}

func TestListenWarnsBeyondLoopback(t *testing.T) {
	for addr, warned := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		var log bytes.Buffer
		m := health.New(health.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		server, err := m.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
		if strings.Contains(log.String(), "level=WARN") != warned {
			t.Errorf("%s: logged %q", addr, log.String())
		}
	}
}

// named asks handler under a name.
func named(handler http.Handler, host, path string) (status int) {
	request := httptest.NewRequest("GET", path, nil)
	request.Host = host
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Code
}

// DNS rebinding: a page whose name points to loopback must not read what is
// served there, be it loopback or a container that is published there.
func TestLoopbackAnswersToItsOwnNamesOnly(t *testing.T) {
	own := []string{"", "localhost", "LOCALHOST:9477", "localhost.:1", "127.0.0.1", "127.0.0.1:9477", "[::1]:9477", "[::1]", "192.0.2.1:80"}
	foreign := []string{"evil.example", "evil.example:9477", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost", "[evil]:1"}
	const refused = http.StatusMisdirectedRequest
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		m, _ := newMonitor(t)
		server, err := m.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
		for _, path := range []string{"/", "/livez", "/metrics"} {
			for _, host := range own {
				if got := named(server.Handler(), host, path); got != http.StatusOK {
					t.Errorf("at %s, Host %q, %s: %d", addr, host, path, got)
				}
			}
			for _, host := range foreign {
				if got := named(server.Handler(), host, path); got != refused {
					t.Errorf("at %s, Host %q, %s: %d, want %d", addr, host, path, got, refused)
				}
			}
		}
	}
	m, _ := newMonitor(t)
	if got := named(health.OwnNames("Fhctl.internal:9477", m.Handler()), "fhctl.internal", "/livez"); got != http.StatusOK {
		t.Errorf("the name of --health-addr: %d", got)
	}
	m = health.New(health.Config{Hosts: []string{"Fhctl", "fhctl.internal"}})
	server, err := m.Listen("0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	for host, want := range map[string]int{"fhctl:9477": http.StatusOK, "FHCTL.internal.": http.StatusOK, "other": refused, "fhctl.evil.example": refused} {
		if got := named(server.Handler(), host, "/metrics"); got != want {
			t.Errorf("further names, Host %q: %d, want %d", host, got, want)
		}
	}
}

// What a page of another site asks for is refused; whoever follows a link from
// an alert sees the page.
func TestOtherSitesReadNothing(t *testing.T) {
	m, _ := newMonitor(t)
	server, err := m.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	for _, c := range []struct {
		site, mode, dest string
		want             int
	}{
		{"", "", "", http.StatusOK}, {"none", "navigate", "document", http.StatusOK}, {"same-origin", "cors", "empty", http.StatusOK},
		{"cross-site", "", "", http.StatusForbidden}, {"cross-site", "no-cors", "image", http.StatusForbidden},
		{"cross-site", "navigate", "iframe", http.StatusForbidden}, {"same-site", "cors", "empty", http.StatusForbidden},
		{"cross-site", "navigate", "document", http.StatusOK},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil)
		for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Sec-Fetch-Mode": c.mode, "Sec-Fetch-Dest": c.dest} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}

// Serve returns although a client holds its connection open.
func TestServeEndsWithItsContext(t *testing.T) {
	m, _ := newMonitor(t)
	server, err := m.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	silent, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := silent.Write([]byte("GET /livez HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	ask(t, "GET", "http://"+server.Addr()+"/livez")
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Serve hangs")
	}
}
