package ingest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// reloader reads the settings again on SIGHUP and puts into force what a
// running ingest can change: the log level at once, the filters by a clean stop
// of the pipeline and its start behind the cursor. Everything else waits for a
// restart. Settings that cannot be used are refused, and the former hold.
type reloader struct {
	*shell.Env
	cfg     *config.Config
	unit    *unit
	hangups chan os.Signal

	mu      sync.Mutex
	shown   map[string]string // what is in force, by setting
	keep    *filter.Filter
	turnOff context.CancelFunc // ends the pipeline that runs; nil without one
}

// newReloader hears SIGHUP from now on, which would otherwise end the process.
func newReloader(env *shell.Env, cfg *config.Config, m *unit) (*reloader, error) {
	keep, err := settings.FilterOf(cfg)
	if err != nil {
		return nil, err
	}
	r := &reloader{Env: env, cfg: cfg, unit: m, keep: keep, shown: map[string]string{}, hangups: make(chan os.Signal, 1)}
	for _, v := range cfg.Values {
		r.shown[v.Name] = v.Text
	}
	signal.Notify(r.hangups, syscall.SIGHUP)
	return r, nil
}

// shell.Run serves signals until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	defer signal.Stop(r.hangups)
	for {
		select {
		case <-r.hangups:
			r.unit.reloading()
			r.reload()
			r.unit.reloaded()
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *reloader) reload() {
	cfg, err := r.Reread()
	if err != nil {
		r.refused(err)
		return
	}
	keep, err := settings.FilterOf(cfg)
	if err != nil {
		r.refused(err)
		return
	}
	for _, warning := range cfg.Warnings {
		r.Log.Warn(warning)
	}
	changed, later := r.compare(cfg)
	r.Level.Set(cfg.Log.Level)
	if len(later) > 0 {
		r.Log.Warn("These settings changed too, and wait for a restart", "settings", strings.Join(later, ", "))
	}
	switch {
	case len(changed) > 0:
		r.Log.Info("Reloaded", changed...)
	case cfg.File == "":
		r.Log.Info("Reloaded: nothing changed, for no settings file is in use, and a process keeps its flags and environment")
	default:
		r.Log.Info("Reloaded: nothing changed", "file", cfg.File)
	}
	r.turn(keep)
}

// follows reports whether a cursor that is not this run's any more is one whose
// filters another process of ours was told to change, and which these settings
// now have too. One reload then serves every process of a stream.
func (r *reloader) follows(err error, before *filter.Filter) bool {
	if fault.ClassOf(err) != fault.Cursor {
		return false
	}
	cfg, wrong := r.Reread()
	if wrong == nil {
		var keep *filter.Filter
		if keep, wrong = settings.FilterOf(cfg); wrong == nil && keep.Fingerprint() == before.Fingerprint() {
			return false // not what these settings could follow
		}
	}
	r.Log.Warn("The cursor was taken over by other settings: reading the settings again", "err", err.Error())
	r.reload()
	return r.wanted().Fingerprint() != before.Fingerprint()
}

// refused says every reason, as a start would.
func (r *reloader) refused(err error) {
	parts := []error{err}
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		parts = joined.Unwrap()
	}
	for _, part := range parts {
		r.Log.Error("Cannot reload: the former settings stay in force", "err", part.Error(), "hint", fault.HintOf(part))
	}
}

// compare notes what is now in force and tells it from what has to wait.
func (r *reloader) compare(cfg *config.Config) (changed []any, later []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range cfg.Values {
		switch before := r.shown[v.Name]; {
		case before == v.Text:
		case config.Reloadable(v.Name):
			changed = append(changed, slog.String(v.Name, before+" → "+v.Text))
			r.shown[v.Name] = v.Text
		default:
			later = append(later, v.Name)
		}
	}
	slices.Sort(later)
	return changed, later
}

// turn makes keep the filter of the next pipeline and ends the present one, unless
// nothing would differ.
func (r *reloader) turn(keep *filter.Filter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if keep.Fingerprint() == r.keep.Fingerprint() {
		return
	}
	r.keep = keep
	if r.turnOff != nil {
		r.turnOff()
	}
}

// wanted is the filter that settings ask for now.
func (r *reloader) wanted() *filter.Filter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keep
}

// filtered is the filter to run with, and a context that ends when it changes.
func (r *reloader) filtered(ctx context.Context) (*filter.Filter, context.Context, context.CancelFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, r.turnOff = context.WithCancel(ctx)
	return r.keep, ctx, r.turnOff
}

// flow runs the pipeline until it is told to stop, and anew whenever the filters
// change: what was read is stored by the former ones, then the cursor is handed
// over, and the next event is judged by the new.
func (i *ingestion) flow(ctx context.Context, source pipeline.FrameSource, sink endpoint.RedisSink) error {
	for {
		keep, running, stop := i.reload.filtered(ctx)
		sink.Refilter(keep.Fingerprint())
		err := i.pipeline(source, sink, keep).Run(running)
		turned := running.Err() != nil && ctx.Err() == nil
		stop()
		switch {
		case ctx.Err() == nil && i.reload.follows(err, keep):
		case err != nil || !turned:
			return err
		}
		i.Log.Info("Going on with other filters")
	}
}
