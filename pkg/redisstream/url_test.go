package redisstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
)

func TestURLForms(t *testing.T) {
	cases := []struct{ url, want string }{
		{"redis://localhost", "[localhost:6379] user= pass= db=0 tls=false master= cluster=false"},
		{"redis://u:p%40ss@h:1/3", "[h:1] user=u pass=p@ss db=3 tls=false master= cluster=false"},
		{"rediss://:p@h:1", "[h:1] user= pass=p db=0 tls=true master= cluster=false"},
		{"unix://u:p@/run/redis.sock?db=2", "[/run/redis.sock] user=u pass=p db=2 tls=false master= cluster=false"},
		{"redis-cluster://u:p@h1:1,h2,[::1]:3", "[h1:1 h2:6379 [::1]:3] user=u pass=p db=0 tls=false master= cluster=true"},
		{"rediss-cluster://h1:1", "[h1:1] user= pass= db=0 tls=true master= cluster=true"},
		{"redis-sentinel://u:p%2F@h1:1,h2/mymaster/4?sentinel_username=su&sentinel_password=sp", "[h1:1 h2:26379] user=u pass=p/ db=4 tls=false master=mymaster cluster=false su/sp"},
		{"rediss-sentinel://h1/m", "[h1:26379] user= pass= db=0 tls=true master=m cluster=false"},
	}
	for _, c := range cases {
		target, err := Connection{URL: c.url}.parse()
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		o := target.options
		got := fmt.Sprintf("%v user=%s pass=%s db=%d tls=%t master=%s cluster=%t", o.Addrs, o.Username, o.Password, o.DB, o.TLSConfig != nil, o.MasterName, o.IsClusterMode)
		if o.SentinelUsername != "" {
			got += " " + o.SentinelUsername + "/" + o.SentinelPassword
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.url, got, c.want)
		}
	}
}

// badURLs hold the canary where a password may end up unescaped.
var badURLs = []string{
	"", "localhost:6379", "http://canary@h", "redis://:can/ary@h:1", "redis://u:1/canary@h/0", "redis://u:p@h:1/canary",
	"redis://u:canary#@h:x", "redis://h:1?password=canary", "redis://[canary", "rediss://h:1?skip_verify=true",
	"redis-sentinel://u:canary@h1:1,h2:2", "redis-sentinel://u:canary@h1:1/m/x", "redis-cluster://u:canary@h1:x",
	"redis-cluster://u:canary@h1:1/3", "redis-cluster://u:canary@,", "redis-sentinel://u:can%zzary@h1:1/m", "redis://\x7f:canary@h",
}

func TestURLRefusedWithoutQuotingIt(t *testing.T) {
	for _, url := range badURLs {
		if url == "" {
			continue // the default
		}
		_, err := Dial(Connection{URL: url})
		wantErr(t, err, fault.Usage)
		noCanary(t, "canary", err)
		noCanary(t, "can/ary", err)
	}
}

func TestRedact(t *testing.T) {
	cases := map[string]string{
		"redis://localhost:6379":  "redis://localhost:6379",
		"redis://u:canary@h:1/2":  "redis://u:***@h:1/2",
		"redis://:canary@h":       "redis://:***@h",
		"redis://canary@h":        "redis://***@h",
		"redis://u:can@ary/x?y@h": "redis://***",
		"u:canary@h":              "u:***@h",
		"redis-sentinel://u:canary@a:1,b:2/m?sentinel_password=canary&db=1": "redis-sentinel://u:***@a:1,b:2/m?sentinel_password=***&db=1",
	}
	for in, want := range cases {
		if got := fault.Redact(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, url := range badURLs {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if target, err := (Connection{URL: text}).parse(); err == nil {
			password := target.options.Password
			redacted := fault.Redact(text)
			if len(password) > 8 && strings.Contains(text, ":"+password+"@") && strings.Contains(redacted, ":"+password+"@") {
				t.Fatalf("%q redacted to %q", text, redacted)
			}
		}
		fault.Redact(text)
	})
}

func TestTLSSettings(t *testing.T) {
	for name, c := range map[string]Connection{
		"without rediss": {URL: "redis://h", TLS: TLS{ServerName: "x"}},
		"no CA file":     {URL: "rediss://h", TLS: TLS{CA: "/nonexistent"}},
		"no key":         {URL: "rediss://h", TLS: TLS{Cert: "/nonexistent"}},
	} {
		if _, err := Dial(c); fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
