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
