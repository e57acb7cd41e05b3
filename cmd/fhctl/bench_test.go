package main

import (
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// A measurement on somebody's Redis touches nothing of theirs and leaves
// nothing of its own.
func TestBenchIngestLeavesRedisAsItWas(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		server.Do("xadd", "firehose:events", "*", "type", "commit")
		server.Do("set", "firehose:python_cursor", "7")
		out := fhctl(t, 0, nil, "bench", "ingest", "--events", "300", "--frames", "20", "--into", server.URL(), "-o", "json")
		if !strings.Contains(out, `"events": 300,`) {
			t.Fatal(out)
		}
		if n := server.Do("dbsize"); n != int64(2) {
			t.Errorf("%v keys: %v", n, server.Do("keys", "*"))
		}
		if n, cursor := server.Do("xlen", "firehose:events"), server.Do("get", "firehose:python_cursor"); n != int64(1) || cursor != "7" {
			t.Errorf("stream of %v, cursor %v", n, cursor)
		}
	})
}
