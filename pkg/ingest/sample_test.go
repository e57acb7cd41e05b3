package ingest

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// testSampler looks at the server as ingest does.
func testSampler(t *testing.T, server *redistest.Server) *sampler {
	t.Helper()
	s := newSampler(health.New(health.Config{}), reader.Config{
		Connection: conn.Connection{URL: server.URL()}, StreamKey: keyspace.DefaultStream, CursorKey: keyspace.DefaultCursor, Page: samplePage,
	}, 1)
	t.Cleanup(s.close)
	return s
}

// Contract §6: XLEN is not the backlog, nor is XPENDING; the lag is what the
// group was not given.
func TestSampleTellsLagFromPending(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		s, client, ctx := testSampler(t, server), server.Client(), t.Context()
		empty, err := s.look(ctx)
		if err != nil || len(empty.Groups) != 0 || empty.Length != 0 || empty.DeadLetters != 0 {
			t.Fatalf("without a stream: %+v, %v", empty, err)
		}
		for i := range 30 {
			if err := client.XAdd(ctx, &redis.XAddArgs{Stream: keyspace.DefaultStream, Values: []any{"type", "commit", "data", "{}", "seq", i + 1}}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		client.XAdd(ctx, &redis.XAddArgs{Stream: reader.DeadLetterKey, Values: []any{"type", "commit"}})
		if err := client.XGroupCreate(ctx, keyspace.DefaultStream, "firehose-processors", "0").Err(); err != nil {
			t.Fatal(err)
		}
		given, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "firehose-processors", Consumer: "worker-0-p0", Streams: []string{keyspace.DefaultStream, ">"}, Count: 10}).Result()
		if err != nil {
			t.Fatal(err)
		}
		client.XAck(ctx, keyspace.DefaultStream, "firehose-processors", given[0].Messages[0].ID)
		got, err := s.look(ctx)
		if err != nil || len(got.Groups) != 1 || got.Length != 30 || got.DeadLetters != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		if g := got.Groups[0]; g.Name != "firehose-processors" || g.Lag != 20 || g.Pending != 9 || g.Consumers != 1 || g.Deliveries != 1 || g.Estimated {
			t.Errorf("%+v", g)
		}
	})
}

// A group reads every partition: its lag is that of all together.
func TestSampleAddsPartitions(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		s, client, ctx := testSampler(t, server), server.Client(), t.Context()
		s.streams = newSampler(s.monitor, s.config, 3).streams
		for n, entries := range []int{5, 0, 7} {
			key := keyspace.Partition(keyspace.DefaultStream, n)
			if err := client.XGroupCreateMkStream(ctx, key, "firehose-processors", "0").Err(); err != nil {
				t.Fatal(err)
			}
			for i := range entries {
				client.XAdd(ctx, &redis.XAddArgs{Stream: key, Values: []any{"type", "commit", "data", "{}", "seq", i + 1}})
			}
			if entries > 0 {
				client.Set(ctx, keyspace.Partition(keyspace.DefaultCursor, n), entries, 0)
			}
		}
		got, err := s.look(ctx)
		if err != nil || got.Length != 12 || len(got.Groups) != 1 || got.Groups[0].Lag != 12 {
			t.Errorf("%+v, %v", got, err)
		}
		want := []health.Partition{{Length: 5, Cursor: 5, Begun: true}, {}, {Length: 7, Cursor: 7, Begun: true}}
		if !slices.Equal(got.Partitions, want) {
			t.Errorf("partitions %+v, want %+v", got.Partitions, want)
		}
	})
}

// A Redis that goes away fails the look, and is found again without a restart.
func TestSampleSurvivesRedis(t *testing.T) {
	redistest.RequireReal(t)
	server := redistest.Start(t)
	s := testSampler(t, server)
	if _, err := s.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if _, err := s.look(t.Context()); err == nil {
		t.Error("a dead Redis was looked at")
	}
	server.Restart()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := s.look(t.Context()); err == nil {
			return
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
