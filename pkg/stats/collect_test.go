package stats

import (
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

func fill(server *redistest.Server, from, n int) {
	for seq := from; seq < from+n; seq++ {
		server.Do("xadd", "firehose:events", "*", "type", "commit", "data",
			`{"repo":"did:plc:x","ops":[{"action":"delete","path":"app.bsky.feed.post/3k"}]}`, "seq", seq)
	}
	server.Do("set", "firehose:python_cursor", from+n-1)
}

func TestStatsAreCollected(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		reader, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: server.URL()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = reader.Close() })
		options := Options{Sample: 2000, Window: 72 * time.Hour, Groups: []string{"g"}}
		r, err := Collect(t.Context(), reader, options)
		if err != nil || r.Stream.Exists {
			t.Fatalf("no stream: %+v, %v", r, err)
		}
		fill(server, 1, 30)
		server.Do("xgroup", "create", "firehose:events", "g", "0")
		server.Do("xgroup", "create", "firehose:events", "other", "0")
		server.Do("xreadgroup", "group", "g", "c", "count", "10", "streams", "firehose:events", ">")
		r, err = Collect(t.Context(), reader, options)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Groups) != 1 || r.Groups[0].Lag != 20 || !r.Groups[0].LagExact || r.Groups[0].Pending != 10 || r.Groups[0].Redelivered.Entries != 0 {
			t.Errorf("groups %+v", r.Groups)
		}
		if r.Stream.Length != 30 || r.Sample.Entries != 30 || r.Sample.Ops != 30 || r.Sample.Collections[0].Name != "app.bsky.feed.post" {
			t.Errorf("stream %+v, sample %+v", r.Stream, r.Sample)
		}
		if r.Cursor.TimeFrom != "entry" || r.Cursor.Relay == nil || *r.Cursor.Relay != "bsky.network" || *r.Cursor.AgeSeconds < 0 {
			t.Errorf("cursor %+v", r.Cursor)
		}
		server.Do("del", "firehose:python_cursor")
		server.Do("xadd", "firehose:python_cursor", "*", "a", "b")
		if r, err = Collect(t.Context(), reader, options); err != nil || r.Cursor.Unknown == "" {
			t.Errorf("a cursor of another type: %+v, %v", r.Cursor, err)
		}
	})
}

// Where the writer of a stream says at which length it trims, that is known; before, a
// stream that something else had shortened, or whose limit was raised, seemed to be
// trimmed already. The status of another stream's writer says nothing.
func TestWriterTellsItsLimit(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t) // the embedded server does not tell how many entries were added
	server := redistest.Start(t)
	reader, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: server.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	fill(server, 1, 30)
	server.Do("xgroup", "create", "firehose:events", "g", "$")
	server.Do("xtrim", "firehose:events", "maxlen", "20")
	for _, c := range []struct {
		status string
		at     int64
	}{
		{`{"connected":true,"writer":"fhctl/a","stream":"firehose:events","maxStreamLen":100000}`, 100_000},
		{`{"connected":true,"writer":"fhctl/a","stream":"firehose:events","maxStreamLen":30}`, 30},
		{`{"connected":true,"writer":"fhctl/a","stream":"firehose:other","maxStreamLen":30}`, 20},
		{`{"connected":true,"url":"wss://bsky.network"}`, 20},
	} {
		server.Do("setex", "firehose:status", "10", c.status)
		r, err := Collect(t.Context(), reader, Options{MaxLength: 100_000, Window: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if at := r.Stream.TrimAt; at == nil || *at != c.at || r.Stream.TrimObserved != (c.at != 100_000) {
			t.Errorf("%s: %+v", c.status, r.Stream)
		}
	}
}
