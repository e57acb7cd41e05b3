package relay

import (
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
)

func TestParseURLAcceptsDeployedForms(t *testing.T) {
	for raw, want := range map[string][2]string{ // String, Host
		"bsky.network":                          {"wss://bsky.network", "bsky.network"},
		" bsky.network\n":                       {"wss://bsky.network", "bsky.network"},
		"BSKY.Network.":                         {"wss://bsky.network", "bsky.network"},
		"bsky.network/":                         {"wss://bsky.network", "bsky.network"},
		"bsky.network:443":                      {"wss://bsky.network", "bsky.network"},
		"bsky.network:8443":                     {"wss://bsky.network:8443", "bsky.network:8443"},
		"wss://bsky.network":                    {"wss://bsky.network", "bsky.network"},
		"WSS://bsky.network" + Path:             {"wss://bsky.network", "bsky.network"},
		"wss://bsky.network" + Path + "/":       {"wss://bsky.network", "bsky.network"},
		"bsky.network" + Path:                   {"wss://bsky.network", "bsky.network"},
		"https://bsky.network/":                 {"wss://bsky.network", "bsky.network"},
		"http://localhost:2470":                 {"ws://localhost:2470", "localhost:2470"},
		"ws://127.0.0.1:80":                     {"ws://127.0.0.1", "127.0.0.1"},
		"ws://[::1]:2470" + Path:                {"ws://[::1]:2470", "[::1]:2470"},
		"localhost:2470":                        {"wss://localhost:2470", "localhost:2470"},
		"wss://relay1.us-east.bsky.network:443": {"wss://relay1.us-east.bsky.network", "relay1.us-east.bsky.network"},
	} {
		got, err := ParseURL(raw, false)
		if err != nil || got.String() != want[0] || got.Host() != want[1] {
			t.Errorf("%q: got %s, %s, %v, want %v", raw, got, got.Host(), err, want)
		}
	}
	if got, err := ParseURL("ws://relay.example", true); err != nil || got.String() != "ws://relay.example" {
		t.Errorf("cleartext when allowed: %s, %v", got, err)
	}
}

func TestParseURLRefusesByName(t *testing.T) {
	for raw, name := range map[string]string{
		"":                             "empty",
		"  ":                           "empty",
		"wss://":                       "host",
		"wss://:443":                   "host",
		"wss://..":                     "host",
		"wss://a..example":             "host",
		"ftp://bsky.network":           "scheme",
		"sim://":                       "scheme",
		"wss://bsky.network/firehose":  "path",
		"bsky.network/xrpc":            "path",
		"wss://bsky.network?cursor=1":  "query",
		"wss://bsky.network?":          "query",
		"wss://bsky.network#x":         "fragment",
		"wss://me:canary@bsky.network": "user name or password",
		"me:canary@bsky.network":       "user name or password",
		"wss://bsky.network:0":         "port",
		"wss://bsky.network:70000":     "port",
		"wss://bsky.network:canary":    "not a URL",
		"wss://b\u00fccher.example":    "host",
		"wss://a b":                    "URL",
		"ws://bsky.network":            "cleartext",
		"http://10.0.0.1":              "cleartext",
		"ws://localhost.evil.example":  "cleartext",
	} {
		_, err := ParseURL(raw, false)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: got %v, want an error that names %q", raw, err, name)
			continue
		}
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%q: class %s, hint %q", raw, fault.ClassOf(err), fault.HintOf(err))
		}
		if strings.Contains(err.Error()+fault.HintOf(err), "canary") {
			t.Errorf("%q: the error repeats what may be a password: %v", raw, err)
		}
	}
}

func TestQ4CursorInURL(t *testing.T) {
	e, err := ParseURL("bsky.network", false)
	if err != nil {
		t.Fatal(err)
	}
	for pos, want := range map[event.Position]string{
		{}:                           "",
		{Start: event.Oldest}:        "?cursor=0",
		event.AfterSeq(7_000_000_12): "?cursor=700000012",
		event.AfterSeq(event.MaxSeq): "?cursor=9007199254740991",
		event.AfterSeq(0):            "", // never 0 for unset
	} {
		if got := e.URL(pos); got != "wss://bsky.network"+Path+want {
			t.Errorf("%s: got %s", pos, got)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"bsky.network", "wss://[::1]:1/xrpc", "ws://u:p@h?q#f", "http://LOCALHOST./"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		e, err := ParseURL(raw, false)
		if err != nil {
			if fault.ClassOf(err) != fault.Usage {
				t.Errorf("%q: class %s", raw, fault.ClassOf(err))
			}
			return
		}
		again, err := ParseURL(e.URL(event.Position{}), false)
		if err != nil || again != e {
			t.Errorf("%q: %v becomes %v, %v", raw, e, again, err)
		}
	})
}
