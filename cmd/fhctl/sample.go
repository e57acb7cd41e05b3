package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/rejects"
)

const (
	// sampleEach is how often ingest looks at the groups. Their lag is not
	// told by appending, and asking costs a few exchanges per group.
	sampleEach = 10 * time.Second
	// samplePage bounds the entries read to count a small lag; a larger one
	// is estimated. A page is held in memory for a moment.
	samplePage = 100
)

// sampler looks at Redis on a timer of its own connection, so that neither a
// slow answer nor an error reaches the river.
type sampler struct {
	config  redisstream.ReaderConfig
	monitor *health.Monitor
	reader  *redisstream.Reader // nil until Redis was reached
}

// sampleRedis starts the sampler. stop waits until it has ended.
func (i *ingestion) sampleRedis(ctx context.Context, services *errgroup.Group, down downstream) (stop func()) {
	s := &sampler{monitor: i.monitor, config: redisstream.ReaderConfig{
		Connection: down.connection, StreamKey: i.cfg.Redis.StreamKey, CursorKey: i.cfg.Redis.CursorKey, Page: samplePage,
	}}
	s.config.CommandTimeout = sampleEach / 2
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	services.Go(func() error { defer close(done); s.run(ctx); return nil })
	return sync.OnceFunc(func() { cancel(); <-done })
}

func (s *sampler) run(ctx context.Context) {
	tick := time.NewTicker(sampleEach)
	defer tick.Stop()
	defer func() {
		if s.reader != nil {
			_ = s.reader.Close()
		}
	}()
	for {
		switch sample, err := s.look(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.monitor.SampleFailed(err)
		default:
			s.monitor.Sampled(sample)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look reads the groups and what the server says of itself. A stream that does
// not exist yet is an empty one.
func (s *sampler) look(ctx context.Context) (health.Sample, error) {
	if s.reader == nil {
		reader, err := redisstream.OpenReader(ctx, s.config)
		if err != nil {
			return health.Sample{}, err
		}
		s.reader = reader
	}
	vitals, err := s.reader.Vitals(ctx)
	if err != nil {
		return health.Sample{}, err
	}
	sample := health.Sample{
		UsedMemory: vitals.UsedMemory, MaxMemory: vitals.MaxMemory, Durable: vitals.Durable, Version: vitals.Version,
	}
	if sample.DeadLetters, err = s.deadLetters(ctx); err != nil {
		return health.Sample{}, err
	}
	bounds, err := s.reader.Bounds(ctx)
	if errors.Is(err, redisstream.ErrNoStream) {
		return sample, nil
	}
	if err != nil {
		return health.Sample{}, err
	}
	sample.Length = bounds.Length
	groups, err := s.reader.Groups(ctx)
	if err != nil {
		return health.Sample{}, err
	}
	for _, g := range groups {
		sample.Groups = append(sample.Groups, health.Group{
			Name: g.Name, Lag: g.Lag, Estimated: !g.LagExact, Pending: g.Pending,
			Consumers: len(g.Consumers), OldestIdle: g.OldestPendingIdle, Deliveries: g.MaxDeliveries,
		})
	}
	return sample, nil
}

// deadLetters is -1 where this Redis user may not look.
func (s *sampler) deadLetters(ctx context.Context) (int64, error) {
	found, err := s.reader.DeadLetters(ctx)
	if err != nil {
		return 0, err
	}
	if found.Why != "" {
		return -1, nil
	}
	return found.Length, nil
}

// showRejects lets metrics tell what became of rejected frames.
func showRejects(m *health.Monitor, store *rejects.Store) {
	m.SetRejectFiles(func() health.RejectFiles {
		s := store.Stats()
		return health.RejectFiles{
			Kept: s.Kept, Unkept: s.Unkept, Repeated: s.Repeated, Suppressed: s.Suppressed,
			Failed: s.Failed, Evicted: s.Evicted, Frames: int64(s.Frames), Bytes: s.Bytes,
		}
	})
}
