package sinktest_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/fhctl/fhctl/pkg/endtest/sinktest"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

func TestMemory(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Store { return new(sinktest.Memory) })
}

// stream is a Redis stream, or a set of them.
type stream struct {
	server     *redistest.Server
	key        string
	partitions int
}

func (s *stream) Open(t testing.TB) pipeline.Sink {
	t.Helper()
	cfg := redisstream.Config{
		Connection: conn.Connection{URL: s.server.URL()}, StreamKey: s.key, CursorKey: s.key + ":cursor",
		Identity: redisstream.Identity{Relay: "relay.example", Partitions: s.partitions},
	}
	if s.partitions > 1 {
		set, err := redisstream.OpenPartitions(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = set.Close() })
		return set
	}
	w, err := redisstream.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func (s *stream) Stored(t testing.TB) (all []event.Seq) {
	t.Helper()
	if s.partitions <= 1 {
		return s.read(t, s.key)
	}
	for i := range s.partitions {
		part := s.read(t, keyspace.Partition(s.key, i))
		all = append(all, part...)
	}
	slices.Sort(all)
	return all
}

func (s *stream) read(t testing.TB, key string) (seqs []event.Seq) {
	t.Helper()
	rows, err := s.server.Client().XRange(t.Context(), key, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		seq, ok := event.ParseSeq(fmt.Sprint(row.Values["seq"]))
		if !ok {
			t.Fatalf("%s holds %v", key, row)
		}
		seqs = append(seqs, seq)
	}
	return seqs
}

// What the pipeline relies on holds for one stream and for a set of them, on a real
// server and on the embedded one.
func TestRedis(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		var made atomic.Int64
		for name, partitions := range map[string]int{"stream": 1, "set": 3} {
			t.Run(name, func(t *testing.T) {
				sinktest.Run(t, func(*testing.T) sinktest.Store {
					return &stream{server: server, key: fmt.Sprintf("events%d", made.Add(1)), partitions: partitions}
				})
			})
		}
	})
}
