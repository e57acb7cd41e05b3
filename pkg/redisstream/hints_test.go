package redisstream

import (
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// The command of the hint is one that redis-cli takes: it knows no sockets, Sentinels
// and clusters in URLs.
func TestHintsNameACommandThatWorks(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://127.0.0.1:1":                           "redis-cli -u redis://127.0.0.1:1 PING",
		"redis://u:p@127.0.0.1:1/2":                     "redis-cli -u redis://u:***@127.0.0.1:1/2 PING",
		"redis://127.0.0.1:1?db=2":                      "redis-cli -h 127.0.0.1 -p 1 PING",
		"unix:///nowhere/redis.sock":                    "redis-cli -s /nowhere/redis.sock PING",
		"unix:///no%20where/r.sock?db=1":                "redis-cli -s '/no where/r.sock' PING",
		"redis-sentinel://:p@127.0.0.1:1,127.0.0.1:2/m": "redis-cli -h 127.0.0.1 -p 1 PING",
		"redis-cluster://127.0.0.1:1,127.0.0.1:2":       "redis-cli -h 127.0.0.1 -p 1 PING",
		"rediss-cluster://127.0.0.1:1":                  "redis-cli -h 127.0.0.1 -p 1 --tls PING",
		"REDIS-CLUSTER://[::1]:1":                       "redis-cli -h ::1 -p 1 PING",
	} {
		_, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: url, CommandTimeout: 2 * time.Second}})
		storetest.WantErr(t, err, fault.Unreachable)
		if hint := fault.HintOf(err); !strings.HasSuffix(hint, "Try: "+want) {
			t.Errorf("%s: hint %q, want %q", url, hint, want)
		}
	}
}
