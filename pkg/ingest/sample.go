package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
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

// sampler looks at Redis on a timer and connections of its own, so that neither
// a slow answer nor an error reaches the pipeline.
type sampler struct {
	config  reader.Config
	streams []string // one, or one for each partition
	monitor *health.Monitor
	readers []*reader.Reader // of the first streams; all once Redis was reached
}

func newSampler(m *health.Monitor, cfg reader.Config, partitions int) *sampler {
	s := &sampler{monitor: m, config: cfg, streams: []string{cfg.StreamKey}}
	if partitions > 1 {
		s.streams = nil
		for n := range partitions {
			s.streams = append(s.streams, keyspace.Partition(cfg.StreamKey, n))
		}
	}
	return s
}

func (s *sampler) run(ctx context.Context) {
	tick := time.NewTicker(sampleEach)
	defer tick.Stop()
	defer s.close()
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

func (s *sampler) close() {
	for _, r := range s.readers {
		_ = r.Close()
	}
}

// look reads the groups and what the servers say of themselves. Of partitions
// the numbers are added up, and the worst of what cannot be added is taken.
func (s *sampler) look(ctx context.Context) (health.Sample, error) {
	for len(s.readers) < len(s.streams) {
		cfg := s.config
		cfg.StreamKey = s.streams[len(s.readers)]
		r, err := reader.Open(ctx, cfg)
		if err != nil {
			return health.Sample{}, err
		}
		s.readers = append(s.readers, r)
	}
	sample := health.Sample{Durable: true}
	var err error
	if sample.DeadLetters, err = s.deadLetters(ctx); err != nil {
		return health.Sample{}, err
	}
	for i, r := range s.readers {
		one, err := lookAt(ctx, r)
		if err != nil {
			return health.Sample{}, err
		}
		addSample(&sample, one, i == 0)
		if len(s.readers) == 1 {
			break // not a set
		}
		state, err := r.CursorAt(ctx, keyspace.Partition(s.config.CursorKey, i))
		if err != nil {
			return health.Sample{}, err
		}
		sample.Partitions = append(sample.Partitions, health.Partition{Length: one.Length, Cursor: state.Seq, Begun: state.Present})
	}
	return sample, nil
}

// lookAt reads one stream; one that does not exist yet is empty.
func lookAt(ctx context.Context, r *reader.Reader) (sample health.Sample, err error) {
	vitals, err := r.Vitals(ctx)
	if err != nil {
		return sample, err
	}
	sample.UsedMemory, sample.MaxMemory = vitals.UsedMemory, vitals.MaxMemory
	sample.Durable, sample.Version = vitals.Durable, vitals.Version
	bounds, err := r.Bounds(ctx)
	if errors.Is(err, reader.ErrNoStream) {
		return sample, nil
	}
	if err != nil {
		return sample, err
	}
	sample.Length = bounds.Length
	groups, err := r.Groups(ctx)
	for _, g := range groups {
		sample.Groups = append(sample.Groups, health.Group{
			Name: g.Name, Lag: g.Lag, Estimated: !g.LagExact, Pending: g.Pending,
			Consumers: len(g.Consumers), OldestIdle: g.OldestPendingIdle, Deliveries: g.MaxDeliveries,
		})
	}
	return sample, err
}

// addSample adds what was found in one stream.
func addSample(sum *health.Sample, one health.Sample, first bool) {
	if first || fullness(one) > fullness(*sum) {
		sum.UsedMemory, sum.MaxMemory, sum.Version = one.UsedMemory, one.MaxMemory, one.Version
	}
	sum.Durable = sum.Durable && one.Durable
	sum.Length += one.Length
	for _, g := range one.Groups {
		at := slices.IndexFunc(sum.Groups, func(h health.Group) bool { return h.Name == g.Name })
		if at < 0 {
			sum.Groups = append(sum.Groups, g)
			continue
		}
		h := &sum.Groups[at]
		h.Lag, h.Pending, h.Estimated = h.Lag+g.Lag, h.Pending+g.Pending, h.Estimated || g.Estimated
		h.Consumers, h.OldestIdle, h.Deliveries = max(h.Consumers, g.Consumers), max(h.OldestIdle, g.OldestIdle), max(h.Deliveries, g.Deliveries)
	}
}

// fullness is the share of its memory that a server uses, or what it uses where
// there is no limit.
func fullness(s health.Sample) float64 {
	if s.MaxMemory > 0 {
		return float64(s.UsedMemory) / float64(s.MaxMemory)
	}
	return float64(s.UsedMemory) / (1 << 60)
}

// deadLetters is -1 where this Redis user may not look.
func (s *sampler) deadLetters(ctx context.Context) (int64, error) {
	found, err := s.readers[0].DeadLetters(ctx)
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
