package ingest

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/observe"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// serveHealth listens before anything else may take long.
func (i *ingestion) serveHealth(ctx context.Context, services *errgroup.Group) error {
	if i.Listen == "" {
		return nil
	}
	server, err := i.monitor.Listen(i.Listen)
	if err != nil && i.AnyPort {
		i.Logger.Warn("The default health address is taken; using a free port", "addr", i.Listen, "err", err.Error())
		server, err = i.monitor.Listen("127.0.0.1:0")
	}
	if err != nil {
		return &SettingError{"health-addr", err}
	}
	i.Logger.Info("Health and metrics", "page", "http://"+server.Addr()+"/", "readyz", "http://"+server.Addr()+"/readyz", "metrics", "http://"+server.Addr()+"/metrics")
	services.Go(func() error { return server.Serve(ctx) })
	return nil
}

// serveDashboard keeps the contract's dashboard keys. It returns a function that
// waits until the keys say disconnected.
func (i *ingestion) serveDashboard(ctx context.Context, services *errgroup.Group) (stop func(), err error) {
	if !i.Dashboard {
		return func() {}, nil
	}
	parts := int64(max(1, i.Sink.Identity.Partitions)) // each keeps its share
	dashboard, err := dashboard.New(dashboard.Config{
		Connection: i.Sink.Connection,
		RelayURL:   i.RelayURL,
		Writer:     i.Sink.Writer,
		StreamKey:  i.Sink.StreamKey,
		MaxLen:     (i.Sink.MaxLen + parts - 1) / parts,
		Shared:     true,
		Alarm:      func(a event.Alarm, detail string) { i.observers.Alarm(a, 0, detail) },
		Foreign:    i.monitor.SetForeign,
	})
	if err != nil {
		return nil, err
	}
	i.observers = append(i.observers, dashboardObserver{keys: dashboard})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	services.Go(func() error { defer close(done); return dashboard.Run(ctx) })
	return func() { cancel(); <-done }, nil
}

// dashboardObserver passes on what the dashboard keys show.
type dashboardObserver struct {
	observe.Silent
	keys *dashboard.Dashboard
}

func (o dashboardObserver) Link(l event.Link)                      { o.keys.Link(l) }
func (o dashboardObserver) Role(r event.Role)                      { o.keys.Role(r) }
func (o dashboardObserver) Stored(b *event.Batch, r event.Receipt) { o.keys.Stored(b, r) }

// sampleRedis starts the sampler. stop waits until it has ended.
func (i *ingestion) sampleRedis(ctx context.Context, services *errgroup.Group) (stop func()) {
	s := newSampler(i.monitor, reader.Config{
		Connection: i.Sink.Connection, StreamKey: i.Sink.StreamKey, CursorKey: i.Sink.CursorKey, Page: samplePage,
	}, i.Sink.Identity.Partitions)
	s.config.CommandTimeout = sampleEach / 2
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	services.Go(func() error { defer close(done); s.run(ctx); return nil })
	return func() { cancel(); <-done }
}
