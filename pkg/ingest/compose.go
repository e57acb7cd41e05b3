package ingest

import (
	"context"
	"log/slog"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/fhctl/fhctl/pkg/capture/spill"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/pipeline/observe"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/rejects"
	"github.com/fhctl/fhctl/pkg/wait"
)

// ingestion is the composition of one run.
type ingestion struct {
	Config
	monitor   *health.Monitor
	observers observe.Observers
	filters   filters
}

func (i *ingestion) run(ctx, serving context.Context, services *errgroup.Group) error {
	closeRejects, err := i.keepRejects()
	if err != nil {
		return err
	}
	defer closeRejects()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var ended atomic.Pointer[error]
	// Unlike the services it ends beside the drain: behind it, a Redis that hangs
	// would cost the stop another few of its ten seconds.
	defer i.sampleRedis(ctx, services)()
	to, err := i.openSink(ctx)
	if err != nil {
		return wait.UnlessStopped(ctx, err)
	}
	defer to.Close()
	stopDashboard, err := i.serveDashboard(serving, services)
	if err != nil {
		return err
	}
	defer stopDashboard()
	from, err := i.Source(i.observers, func(err error) { ended.Store(&err); stop(err) })
	if err != nil {
		return err
	}
	from, closeSpill, err := i.spill(from)
	if err != nil {
		return err
	}
	defer closeSpill()
	err = i.flow(ctx, from, to)
	if why := ended.Load(); why != nil && err == nil {
		err = *why // what was before it is stored
	}
	return err
}

func (i *ingestion) pipeline(from pipeline.FrameSource, to pipeline.Sink, keep *filter.Filter) *pipeline.Pipeline {
	cfg := i.Pipeline
	cfg.Source, cfg.Sink, cfg.Observer, cfg.Filter, cfg.Logger = from, to, i.observers, keep, i.Logger
	p := pipeline.New(cfg)
	i.monitor.SetQueue(p.Queued)
	return p
}

var _ pipeline.FrameSource = (*spill.Source)(nil)

// openSink opens the writer; it waits for Redis, visibly, until ctx ends.
func (i *ingestion) openSink(ctx context.Context) (redisstream.Sink, error) {
	cfg := i.Sink
	cfg.Identity.Filter = i.filters.wanted().Fingerprint()
	cfg.Notify, cfg.Alarm, cfg.Refused, cfg.CursorMoved = i.observers.Store, i.observers.Alarm, i.refused, i.monitor.CursorMoved
	return redisstream.OpenSink(ctx, cfg)
}

// spill puts the disk between source and pipeline, where that is asked for.
func (i *ingestion) spill(from pipeline.FrameSource) (_ pipeline.FrameSource, closeSpill func(), err error) {
	if i.Spill == nil {
		return from, func() {}, nil
	}
	cfg := *i.Spill
	cfg.Source, cfg.Alarm, cfg.Rejected, cfg.Logger = from, i.observers.Alarm, i.refused, i.Logger
	stage, err := spill.Open(cfg)
	if err != nil {
		return nil, nil, &SettingError{"when-full", err}
	}
	i.observers = append(i.observers, spillObserver{stage: stage})
	i.monitor.SetSpill(stage.Usage)
	return stage, func() {
		if err := stage.Close(); err != nil {
			i.Logger.Warn("Cannot close the spill directory", "err", err.Error())
		}
	}, nil
}

// spillObserver tells the stage what need not be kept any more.
type spillObserver struct {
	observe.Silent
	stage *spill.Source
}

func (o spillObserver) Stored(b *event.Batch, _ event.Receipt) { o.stage.Stored(b.Upto) }

// refused counts what was kept out of the stream beside the pipeline, as the pipeline
// counts what it keeps out.
func (i *ingestion) refused(r *event.Reject, frame []byte) {
	var counts event.Counts
	counts.Rejected[r.Reason]++
	i.observers.Counted(&counts)
	i.observers.Rejected(r, frame)
}

// keepRejects keeps undecodable frames, where that is asked for.
func (i *ingestion) keepRejects() (closeStore func(), err error) {
	if i.Rejects == nil {
		return func() {}, nil
	}
	store, err := rejects.Open(*i.Rejects)
	if err != nil {
		return nil, &SettingError{"rejects", err}
	}
	i.observers = append(i.observers, rejectsObserver{store: store, log: i.Logger})
	showRejects(i.monitor, store)
	return func() {
		if err := store.Close(); err != nil {
			i.Logger.Warn("Cannot finish the index of rejected frames", "err", err.Error())
		}
	}, nil
}

// rejectsObserver keeps frames; what fails there must not stop the pipeline.
type rejectsObserver struct {
	observe.Silent
	store *rejects.Store
	log   *slog.Logger
}

func (o rejectsObserver) Rejected(r *event.Reject, frame []byte) {
	if err := o.store.Keep(r, frame); err != nil {
		o.log.Warn("Cannot keep rejected frames; they are still counted", "err", err.Error())
	}
}
