package conn

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
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
		target, err := Parse(Connection{URL: c.url})
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

// What cannot work is refused with the part that is wrong, by all schemes.
func TestURLNamesThePartThatIsWrong(t *testing.T) {
	for text, part := range map[string]string{
		"localhost:6379":                           "scheme",
		"redis+tls://h":                            "scheme",
		"REDISS+TLS://h":                           "scheme",
		"http://h":                                 "scheme",
		"redis://h:99999":                          "port",
		"redis://h:0":                              "port",
		"redis://h:":                               "port",
		"redis://h:port":                           "port",
		"redis://[::1]:x":                          "port",
		"redis://[::g]":                            "IPv6",
		"redis://[::1":                             "]",
		"redis://a:1,b:2":                          "several hosts",
		"redis://h\\x":                             "host",
		"redis://h/x":                              "database",
		"redis://h/-1":                             "database",
		"redis://h/1/2":                            "database",
		"redis://h/99999999999":                    "database",
		"redis://h/1?db=2":                         "databases",
		"redis://h?db=x":                           "database",
		"redis://h?db=1&db=2":                      "twice",
		"redis://h?dbb=1":                          "parameter",
		"redis://h?canary":                         "parameter",
		"redis://h#x":                              "%23",
		"redis://u:p/q@h":                          "%2F",
		"redis://u:%zz@h":                          "user or password",
		"redis://h/%zz":                            "path",
		"redis://a b":                              "blank",
		"redis://a\nb":                             "blank",
		"rediss://h?skip_verify=true":              "skip_verify",
		"unix://run/redis.sock":                    "slashes",
		"unix:///":                                 "path",
		"redis-cluster://h/1":                      "database",
		"redis-cluster://h:1,":                     "a host is missing",
		"redis-cluster://":                         "a host is missing",
		"redis-cluster://:7000":                    "a host is missing",
		"redis-sentinel:///m":                      "a host is missing",
		"redis-cluster://h?db=0":                   "parameter",
		"redis-sentinel://h:1":                     "master",
		"redis-sentinel://h:1/m/x":                 "database",
		"redis-sentinel://h:1/m?db=1":              "parameter",
		"redis-sentinel://h/m?sentinel_pasword=xx": "parameter",
	} {
		_, err := ParseURL(text)
		storetest.WantErr(t, err, fault.Usage)
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, which does not name %q", text, err, part)
		}
		storetest.NoCanary(t, "canary", err)
		storetest.NoCanary(t, "pasword", err)
	}
	for _, text := range []string{"redis://h:6379/ ", "\tredis://h\n", "redis://", "REDIS://h", "Rediss://h", "UNIX:///run/r.sock", "Redis-Cluster://h", "redis://:6379", "redis://h/", "redis://h?db=3", "redis://h/3?db=3", "redis://[fe80::1%25eth0]:1"} {
		if _, err := ParseURL(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The user of a URL and a password from elsewhere belong together, with every
// scheme.
func TestPasswordBesideTheURL(t *testing.T) {
	for _, url := range []string{"redis://u@h", "rediss://u@h:1/2", "unix://u@/run/redis.sock", "redis-cluster://u@h1,h2", "rediss-cluster://u@h1", "redis-sentinel://u@h1,h2/m", "rediss-sentinel://u@h1/m/2?sentinel_password=s", "redis://u:@h?db=2"} {
		target, err := Parse(Connection{URL: url, Password: "p@/:#%"})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if o := target.options; o.Username != "u" || o.Password != "p@/:#%" {
			t.Errorf("%s: user %q, password %q", url, o.Username, o.Password)
		}
		place, err := ParseURL(url)
		if err != nil || place.Password != strings.Contains(url, "sentinel_password") {
			t.Errorf("%s: %+v, %v", url, place, err)
		}
	}
	_, err := Dial(Connection{URL: "redis://u:canary@h", Password: "canary"})
	storetest.WantErr(t, err, fault.Usage)
	storetest.NoCanary(t, "canary", err)
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
		storetest.WantErr(t, err, fault.Usage)
		storetest.NoCanary(t, "canary", err)
		storetest.NoCanary(t, "can/ary", err)
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
		if target, err := Parse(Connection{URL: text}); err == nil {
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
