package ingest

import (
	"context"
	"sync"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// Running is a run as what stands beside it sees it. Its methods may be called from any
// goroutine.
type Running struct {
	ingestion *ingestion
	unit      *unit
}

// Snapshot is how things are now.
func (r *Running) Snapshot() health.Snapshot { return r.ingestion.monitor.Snapshot() }

// Reload tells the service manager that settings are read again while do runs.
func (r *Running) Reload(do func()) {
	r.unit.reloading()
	do()
	r.unit.reloaded()
}

// SetFilter makes keep the filter: what was read is stored by the former one, then the
// cursor is handed over, and the next event is judged by the new. One that differs in
// nothing changes nothing.
func (r *Running) SetFilter(keep *filter.Filter) { r.ingestion.filters.set(keep) }

// filters is the filter that is wanted, which may change while a pipeline runs.
type filters struct {
	mu      sync.Mutex
	keep    *filter.Filter
	turnOff context.CancelFunc // ends the pipeline that runs; nil without one
}

// set ends the present pipeline, unless nothing would differ.
func (f *filters) set(keep *filter.Filter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if keep.Fingerprint() == f.keep.Fingerprint() {
		return
	}
	f.keep = keep
	if f.turnOff != nil {
		f.turnOff()
	}
}

// wanted is the filter that is asked for now.
func (f *filters) wanted() *filter.Filter {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keep
}

// next is the filter to run with, and a context that ends when it changes.
func (f *filters) next(ctx context.Context) (*filter.Filter, context.Context, context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, f.turnOff = context.WithCancel(ctx)
	return f.keep, ctx, f.turnOff
}

// flow runs the pipeline until it is told to stop, and anew whenever the filter
// changes.
func (i *ingestion) flow(ctx context.Context, source pipeline.FrameSource, sink redisstream.Sink) error {
	for {
		keep, running, stop := i.filters.next(ctx)
		sink.Refilter(keep.Fingerprint())
		err := i.pipeline(source, sink, keep).Run(running)
		turned := running.Err() != nil && ctx.Err() == nil
		stop()
		switch {
		case ctx.Err() == nil && i.follows(err, keep):
		case err != nil || !turned:
			return err
		}
		i.Logger.Info("Going on with other filters")
	}
}

// follows reports whether a cursor that is not this run's any more is one whose
// filter another process of ours was told to change, and which this one can have too.
// One change then serves every process of a stream.
func (i *ingestion) follows(err error, before *filter.Filter) bool {
	if i.Refilter == nil || fault.ClassOf(err) != fault.Cursor {
		return false
	}
	if keep := i.Refilter(before, err); keep != nil {
		i.filters.set(keep)
	}
	return i.filters.wanted().Fingerprint() != before.Fingerprint()
}
