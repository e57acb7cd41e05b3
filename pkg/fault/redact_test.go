package fault_test

import (
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
)

func TestRedact(t *testing.T) {
	for url, want := range map[string]string{
		"redis://localhost:6379":                            "redis://localhost:6379",
		"redis://:canary@h:1/0":                             "redis://:***@h:1/0",
		"redis://user:canary@h":                             "redis://user:***@h",
		"redis://canary@h":                                  "redis://***@h",
		"redis://u:can@ary@h":                               "redis://u:***@h",
		"redis://u:can/ary@h":                               "redis://u:***@h",
		"redis://u:can/a@ry/x@h/0":                          "redis://u:***@h/0",
		"redis://u:can?ary@h":                               "redis://***",
		"redis://h?sentinel_password=canary&db=1":           "redis://h?sentinel_password=***&db=1",
		"redis-sentinel://h/m?sentinel_pasword=canary&db=1": "redis-sentinel://h/m?***&db=1",
		"redis://h?canary":                                  "redis://h?***",
		"redis://h?db=1&pw=canary":                          "redis://h?db=1&***",
		"redis://h?db=1#canary":                             "redis://h?***",
		"sim://?rate=1&count=2":                             "sim://?rate=1&count=2",
		"redis://h?password=can@ary":                        "redis://***",
		"redis://:canary@h1:6379,h2:6379":                   "redis://:***@h1:6379,h2:6379",
		"u:canary@h:6379":                                   "u:***@h:6379",
		"wss://relay.example/xrpc/a.b.c?cursor=1":           "wss://relay.example/xrpc/a.b.c?cursor=1",
		"capture:/data/a@b.zst":                             "capture:/data/a@b.zst",
		"redis://default:canary":                            "redis://default:***",
		"redis://:canary":                                   "redis://:***",
		"redis://default:canary/0?db=1":                     "redis://default:***/0?db=1",
		"redis://default:1234567":                           "redis://default:***",
		"redis-cluster://h:1,default:canary":                "redis-cluster://h:1,default:***",
		"redis://[::1]:canary":                              "redis://[::1]:***",
		"redis://[::1]:6379/3":                              "redis://[::1]:6379/3",
		"redis://h/canary":                                  "redis://h/***",
		"redis://h?db=canary":                               "redis://h?***",
		"redis://h#canary":                                  "redis://h#***",
		"redis://h/0#canary":                                "redis://h/0#***",
		"redis-sentinel://h:1,i/m/canary":                   "redis-sentinel://h:1,i/m/***",
		"redis-sentinel://h:1,i/m/0":                        "redis-sentinel://h:1,i/m/0",
		"redis-cluster://h/canary":                          "redis-cluster://h/***",
		"unix:///run/redis.sock?db=canary":                  "unix:///run/redis.sock?***",
		"wss://h/#canary":                                   "wss://h/#***",
		"wss://h/canary":                                    "wss://h/***",
		"h/canary":                                          "h/***",
		"sim://?foo=canary":                                 "sim://?***",
		"sim://?canary":                                     "sim://?***",
		"sim://?rate=canary&count=2":                        "sim://?***&count=2",
		"sim://canary":                                      "sim://***",
		"redis://u:%63anary@h":                              "redis://u:***@h",
		"bsky.network":                                      "bsky.network",
		"":                                                  "",
		"rediss+sentinel://:canary@h?master_name=m1":        "rediss+sentinel://:***@h?master_name=m1",
	} {
		if got := fault.Redact(url); got != want {
			t.Errorf("Redact(%q) = %q, want %q", url, got, want)
		}
	}
}

// A URL may be pasted wherever a value is due, and a message repeats it.
func TestRedactText(t *testing.T) {
	for said, want := range map[string]string{
		"nothing to hide: 12:30:45, firehose:events":                        "nothing to hide: 12:30:45, firehose:events",
		`environment FHCTL_DID: "redis://u:canary@h:6379/0" is not a DID`:   `environment FHCTL_DID: "redis://u:***@h:6379/0" is not a DID`,
		`unknown command "redis://:canary" for "fhctl"`:                     `unknown command "redis://:***" for "fhctl"`,
		"open redis://u:can ary@h: no such file":                            "open redis://u:***@h: no such file",
		`"redis://u:can\"ary@h" is malformed`:                               `"redis://u:***@h" is malformed`,
		"place u:canary@h:6379 is not known":                                "place u:***@h:6379 is not known",
		"via proxy http://u:canary@proxy:3128: refused":                     "via proxy http://u:***@proxy:3128: refused",
		"two: redis://a:canary@h and rediss://b:canary@i.":                  "two: redis://a:***@h and rediss://b:***@i.",
		"is Redis running at redis://localhost:6379?":                       "is Redis running at redis://localhost:6379?",
		"(see https://example.org/docs/runbook.md#a)":                       "(see https://example.org/docs/runbook.md#a)",
		"https://example.org/x?token=canary&b=1":                            "https://example.org/x?token=***&b=1",
		"at://did:plc:abc/app.bsky.feed.post/3k":                            "at://did:plc:abc/app.bsky.feed.post/3k",
		"write it as redis://[USER:PASSWORD@]HOST:PORT[/DB], rediss:// too": "write it as redis://[USER:PASSWORD@]HOST:PORT[/DB], rediss:// too",
		"redis-sentinel://H1:P,H2:P/MASTER or redis://:PASSWORD@HOST:PORT":  "redis-sentinel://H1:P,H2:P/MASTER or redis://:PASSWORD@HOST:PORT",
		"http://USER:PASSWORD@HOST:PORT, and redis://HOST:PORT/DB":          "http://USER:PASSWORD@HOST:PORT, and redis://HOST:PORT/DB",
		"sim://?rate=N&count=N&seed=N (redis://h:1), embedded://":           "sim://?rate=N&count=N&seed=N (redis://h:1), embedded://",
	} {
		if got := fault.RedactText(said); got != want {
			t.Errorf("RedactText(%q)\n  = %q,\nwant %q", said, got, want)
		}
		if again := fault.RedactText(want); again != want {
			t.Errorf("RedactText(%q) is not stable: %q", want, again)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("redis://user:", "@host:6379/0?db=1")
	f.Add("", "@host")
	f.Add("redis://h/a?token=", "&x=y")
	f.Fuzz(func(t *testing.T, before, after string) {
		url := before + "canary" + after
		userinfo := strings.HasPrefix(before, "redis://u:") && strings.Contains(after, "@")
		if userinfo && strings.Contains(fault.Redact(url), "canary") {
			t.Errorf("Redact(%q) = %q", url, fault.Redact(url))
		}
		if again := fault.Redact(fault.Redact(url)); again != fault.Redact(url) {
			t.Errorf("Redact is not stable: %q, then %q", fault.Redact(url), again)
		}
	})
}
