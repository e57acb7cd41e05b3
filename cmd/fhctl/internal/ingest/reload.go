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

	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/ingest"
)

// reloader reads the settings again on SIGHUP and puts into force what a
// running ingest can change: the log level at once, the filters by a clean stop
// of the pipeline and its start behind the cursor. Everything else waits for a
// restart. Settings that cannot be used are refused, and the former hold.
type reloader struct {
	*shell.Env
	hangups chan os.Signal

	mu    sync.Mutex
	shown map[string]string // what is in force, by setting
}

// newReloader hears SIGHUP from now on, which would otherwise end the process.
func newReloader(env *shell.Env, cfg *config.Config) *reloader {
	r := &reloader{Env: env, shown: map[string]string{}, hangups: make(chan os.Signal, 1)}
	for _, v := range cfg.Values {
		r.shown[v.Name] = v.Text
	}
	signal.Notify(r.hangups, syscall.SIGHUP)
	return r
}

// run serves signals until ctx ends.
func (r *reloader) run(ctx context.Context, running *ingest.Running) {
	defer signal.Stop(r.hangups)
	for {
		select {
		case <-r.hangups:
			running.Reload(func() {
				if keep := r.reload(); keep != nil {
					running.SetFilter(keep)
				}
			})
		case <-ctx.Done():
			return
		}
	}
}

// reload puts into force what may change, and gives the filter of the settings as they
// are now; nil where they cannot be used.
func (r *reloader) reload() *filter.Filter {
	cfg, err := r.Reread()
	if err != nil {
		r.refused(err)
		return nil
	}
	keep, err := settings.FilterOf(cfg)
	if err != nil {
		r.refused(err)
		return nil
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
	return keep
}

// follow is the filter to go on with where the cursor was taken over by a writer with
// another one: another process of ours was told of new settings, which these may have
// too. It is nil where these settings have nothing else to offer.
func (r *reloader) follow(before *filter.Filter, err error) *filter.Filter {
	cfg, wrong := r.Reread()
	if wrong == nil {
		var keep *filter.Filter
		if keep, wrong = settings.FilterOf(cfg); wrong == nil && keep.Fingerprint() == before.Fingerprint() {
			return nil
		}
	}
	r.Log.Warn("The cursor was taken over by other settings: reading the settings again", "err", err.Error())
	return r.reload()
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
