package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/fhctl/fhctl/pkg/capture/spill"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/pipeline/observe"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/rejects"
)

// Config is one run. The configurations of other packages in it are those of their
// own pages, without what Run alone can know, which is named here.
type Config struct {
	// RelayURL is the relay as the dashboard keys show it; no secret.
	RelayURL string
	// Source opens the relay. It tells heard of every change of the connection, and
	// calls stop where nothing more can come: the run then stores what it has and
	// ends with that error.
	Source func(heard event.Observer, stop func(error)) (pipeline.FrameSource, error)
	// Sink is the stream. Run sets Identity.Filter, Notify, Refused, Alarm and
	// CursorMoved. Identity.Partitions above 1 makes it a set.
	Sink redisstream.Config
	// Pipeline bounds batches and queues. Run sets Source, Sink, Observer, Filter and
	// Logger.
	Pipeline pipeline.Config
	// Filter keeps what is wanted; nil keeps everything.
	Filter *filter.Filter
	// Refilter is asked when the cursor was taken over by a writer with another
	// filter, and gives the filter to go on with; nil, or the one it was given, ends
	// the run with the error.
	Refilter func(before *filter.Filter, err error) *filter.Filter
	// Spill is the disk that takes what a full stream has no room for; nil is none.
	// Run sets Source, Alarm, Rejected and Logger.
	Spill *spill.Config
	// Rejects keeps frames that cannot be decoded; nil only counts them.
	Rejects *rejects.Config
	// Health is what health server and metrics say of this process.
	Health health.Config
	// Listen is the address of the health server, HOST:PORT; "" is none. With
	// AnyPort one that is taken makes it listen on a free port of loopback.
	Listen  string
	AnyPort bool
	// Dashboard keeps the dashboard keys of the contract.
	Dashboard bool
	// Environ is the environment in which systemd says how it is to be told; nil is
	// none.
	Environ []string
	// Beside run until everything else has ended; Run waits for them.
	Beside []func(context.Context, *Running)
	Logger *slog.Logger
	// Progress is told every thousand events; nil is silent.
	Progress *slog.Logger
}

// SettingError is an error of one setting, which is named as docs/configuration.md
// names it: the value cannot be used on this machine.
type SettingError struct {
	Setting string
	Err     error
}

// Error is the cause's text.
func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *SettingError) Unwrap() error { return e.Err }

// Summary is what a run came to.
type Summary struct {
	Cursor event.Seq // where the next start goes on; 0 is no cursor
	Stored uint64    // entries appended by this run
}

// Run composes the pipeline and runs it until ctx ends. What serves people (health,
// dashboard keys, Beside) outlives the pipeline, so that it tells the truth to the end.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	serving, stopServices := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServices()
	services, serving := errgroup.WithContext(serving)
	i := &ingestion{Config: cfg, monitor: health.New(cfg.Health)}
	i.filters.keep = cfg.Filter
	unit := newUnit(cfg, i.monitor)
	i.observers = observe.Observers{i.monitor, observe.NewLog(cfg.Logger, cfg.Progress), unit}
	defer context.AfterFunc(ctx, func() { i.monitor.Stopping(); unit.stopping() })()

	if err := i.serveHealth(serving, services); err != nil {
		return Summary{}, err
	}
	running := &Running{ingestion: i, unit: unit}
	for _, run := range cfg.Beside {
		services.Go(func() error { run(serving, running); return nil })
	}
	services.Go(func() error { return unit.run(serving) })
	err := i.run(ctx, serving, services)
	end := i.monitor.Snapshot()
	if err == nil {
		i.farewell(end)
		err = i.uncovered(ctx, end)
	}
	stopServices()
	return Summary{Cursor: end.Cursor, Stored: end.Appended}, errors.Join(err, services.Wait())
}

// farewell is the last line of a clean end: where the next start goes on.
func (i *ingestion) farewell(end health.Snapshot) {
	cursor := "none"
	if end.Cursor > 0 {
		cursor = end.Cursor.String()
	}
	i.Logger.Info("Stopped", "cursor", cursor, "stored", end.Appended)
}

// uncovered is the error of a run that was to end at a seq and stored no position: the
// relay begins behind it, so that nothing is known of what was asked for.
func (i *ingestion) uncovered(ctx context.Context, end health.Snapshot) error {
	until := i.Pipeline.UntilSeq
	if until == 0 || end.Cursor > 0 || end.Counts.Frames == 0 || ctx.Err() != nil {
		return nil
	}
	return fault.New(fault.Unreachable, fmt.Errorf("nothing was stored: the relay's events begin behind seq %s", until),
		fmt.Sprintf("choose a later value of %s; to see the first there is, %s", fault.To("until-seq", ""), fault.Remedy{Do: fault.WatchRelay}.With("since", "oldest")+" with "+fault.To("limit", "1")))
}
