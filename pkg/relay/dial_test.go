package relay

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// answering is a host that answers every request with h; its address is a
// relay's.
func answering(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

const page = "<html><script>canary</script></html>"

func TestC5StatusesThatEndTheIterator(t *testing.T) {
	for _, status := range []int{http.StatusMethodNotAllowed, http.StatusUpgradeRequired, http.StatusNotImplemented} {
		dials := 0
		url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			dials++
			w.WriteHeader(status)
			fmt.Fprint(w, page)
		})
		f := follow(t, url, oldest, Config{}, nil)
		f.untilEnd()
		if fault.ClassOf(f.err) != fault.Unreachable || fault.HintOf(f.err) == "" || !strings.Contains(f.err.Error(), fmt.Sprint(status)) {
			t.Errorf("%d: got %v, hint %q", status, f.err, fault.HintOf(f.err))
		}
		if dials != 1 || strings.Contains(f.err.Error(), "canary") {
			t.Errorf("%d: %d dials, error %v", status, dials, f.err)
		}
	}
}

func TestC5StatusesThatAreRetried(t *testing.T) {
	for status, cause := range map[int]string{
		400: causeHTTP4xx, 401: causeHTTP4xx, 403: causeHTTP4xx, 404: causeHTTP4xx, 429: causeHTTP429,
		500: causeHTTP5xx, 502: causeHTTP5xx, 503: causeHTTP5xx, 504: causeHTTP5xx, 300: causeHTTP3xx,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			server, _ := relay(t, 1, "")
			server.Refuse(status, "")
			server.Refuse(status, "")
			f := follow(t, server.URL(), oldest, Config{}, nil)
			f.untilSeq(1)
			f.stop()
			if got := f.causes(); !slices.Equal(got, []string{cause, cause, causeStopped}) {
				t.Errorf("causes %v", got)
			}
		})
	}
}

func TestC5RetryAfterIsHonoured(t *testing.T) {
	server, _ := relay(t, 1, "")
	server.Refuse(429, "333")
	f := follow(t, server.URL(), oldest, Config{}, nil)
	f.until("refused", func() bool { return len(f.causes()) > 0 })
	f.stop()
	if got := f.links[1]; got.Retry != 333*time.Second || got.Cause != causeHTTP429 {
		t.Errorf("reported %+v", got)
	}
	if n := len(server.Requests()); n != 1 {
		t.Errorf("%d requests within the wait", n)
	}
}

func TestC4FollowsRedirectsWithTheCursor(t *testing.T) {
	for name, location := range map[string]func(base, path string) string{
		"whole":          func(base, _ string) string { return "http" + strings.TrimPrefix(base, "ws") + Path },
		"another cursor": func(base, _ string) string { return base + Path + "?cursor=1&x=y#z" },
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := relay(t, 5, "")
			hops := 0
			url := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if hops++; hops < maxRedirects {
					w.Header().Set("Location", "/hop") // relative, loses the cursor
				} else {
					w.Header().Set("Location", location(server.URL(), r.URL.Path))
				}
				w.WriteHeader([]int{301, 302, 303, 307, 308}[hops%5])
			})
			f := follow(t, url, event.AfterSeq(2), Config{}, nil)
			f.untilSeq(5)
			f.stop()
			f.wantExact(3, 5)
			if got := server.Requests()[0].Cursor; got != "2" {
				t.Errorf("the redirect made the cursor %q", got)
			}
			if got := f.links[1].URL; got != server.URL() {
				t.Errorf("connected to %s, reported %s", server.URL(), got)
			}
		})
	}
}

func TestC4RefusesRedirects(t *testing.T) {
	for location, words := range map[string]string{
		"/round":                      "more than 5 redirects",
		"ws://relay.example":          "cleartext",
		"http://relay.example" + Path: "cleartext",
		"ftp://127.0.0.1/":            "not a relay's",
		"http:///nowhere":             "not a relay's",
		"http://[::1":                 "not a URL",
		"ws://u:canary@127.0.0.1/":    "user name",
	} {
		t.Run(location, func(t *testing.T) {
			url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
			})
			f := follow(t, url, oldest, Config{}, nil)
			f.untilEnd()
			if f.err == nil || !strings.Contains(f.err.Error(), words) || strings.Contains(f.err.Error(), "canary") {
				t.Errorf("got %v, want %q", f.err, words)
			}
			if fault.ClassOf(f.err) != fault.Unreachable || fault.HintOf(f.err) == "" {
				t.Errorf("class %s, hint %q", fault.ClassOf(f.err), fault.HintOf(f.err))
			}
		})
	}
}

// certificate is the test server's own authority: httptest keeps one for
// 127.0.0.1.
func certificate(t *testing.T, h http.Handler) (*httptest.Server, *tls.Config) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, &tls.Config{RootCAs: roots}
}

func TestTLSWithItsOwnAuthority(t *testing.T) {
	issued, client := certificate(t, nil)
	server := relaytest.Start(t, relayserver.Config{
		Log: relaytest.Log(t, 1, 3000), Faults: relaytest.Faults(t, "drop@100,cut@200,reset@300,close@400"),
		TLS: &tls.Config{Certificates: issued.TLS.Certificates},
	})
	f := follow(t, server.URL(), oldest, Config{TLS: client}, nil)
	f.untilSeq(3000)
	f.stop()
	f.wantExact(1, 3000)
	if !strings.HasPrefix(f.links[1].URL, "wss://") {
		t.Errorf("connected to %s", f.links[1].URL)
	}
}

func TestTLSUnknownAuthorityIsRetriedWithAHint(t *testing.T) {
	issued, _ := certificate(t, nil)
	f := follow(t, "wss"+strings.TrimPrefix(issued.URL, "https"), oldest, Config{}, nil)
	f.until("two failures", func() bool { return len(f.causes()) >= 2 })
	f.stop()
	if got := f.links[1]; got.Cause != causeTLS || fault.HintOf(got.Err) == "" || fault.ClassOf(got.Err) != fault.Unreachable {
		t.Errorf("reported %+v", got)
	}
}

func TestC4RedirectMustKeepEncryption(t *testing.T) {
	plain, _ := relay(t, 1, "")
	host, client := certificate(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", plain.URL()+Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	f := follow(t, "wss"+strings.TrimPrefix(host.URL, "https"), oldest, Config{TLS: client}, nil)
	f.untilEnd()
	if f.err == nil || !strings.Contains(f.err.Error(), "drop encryption") || len(plain.Requests()) != 0 {
		t.Errorf("got %v after %d cleartext requests", f.err, len(plain.Requests()))
	}
}

func TestDialCauses(t *testing.T) {
	for url, want := range map[string]string{
		"wss://nowhere.invalid": causeDNS,
		closedPort(t):           causeRefused,
		strings.Replace(answering(t, http.NotFound), "ws:", "wss:", 1): causeTLS,
		silent(t): causeDialTimeout,
	} {
		f := follow(t, url, oldest, Config{DialTimeout: 100 * time.Millisecond}, nil)
		f.until("down", func() bool { return len(f.causes()) > 0 })
		f.stop()
		got := f.links[1]
		// A machine without a resolver may run into the dial timeout first.
		if got.Cause != want && !(want == causeDNS && got.Cause == causeDialTimeout) {
			t.Errorf("%s: cause %s (%v), want %s", url, got.Cause, got.Err, want)
		}
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(nil)
	server.Close()
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

func TestCausesAreABoundedSet(t *testing.T) {
	known := Causes()
	for _, err := range []error{errors.New("odd"), errEnough} {
		if !slices.Contains(known, broken(err).cause) || !slices.Contains(known, undialled(&line{}, err).cause) {
			t.Errorf("%v has an unlisted cause", err)
		}
	}
	for status := 200; status < 600; status++ {
		if !slices.Contains(known, refusedWith("", &http.Response{StatusCode: status}, nil).cause) {
			t.Errorf("status %d has an unlisted cause", status)
		}
	}
}

// A relay that speaks nothing newer than TLS 1.1 is not read, whatever the
// caller's settings allow.
func TestTLSBelow12IsRefused(t *testing.T) {
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	t.Cleanup(old.Close)
	lax := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS10}
	lax.RootCAs.AddCert(old.Certificate())
	f := follow(t, "wss"+strings.TrimPrefix(old.URL, "https"), oldest, Config{TLS: lax}, nil)
	f.until("a failure", func() bool { return len(f.causes()) > 0 })
	f.stop()
	if err := f.links[1].Err; err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("reported %v, want a refusal of the protocol version", err)
	}
}
