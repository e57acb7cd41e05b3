package endpoint

import (
	"context"
	"errors"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/build"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/ingest"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// Ingest carries events between the relay and the Redis of the settings, until ctx
// ends. prepare is told of both before anything else happens, and may add to the run.
func Ingest(ctx context.Context, env *shell.Env, cfg *config.Config, prepare func(Upstream, Downstream, *ingest.Config)) error {
	keep, err := settings.FilterOf(cfg)
	if err != nil {
		return err
	}
	up, err := OpenUpstream(env.Log, cfg)
	if err != nil {
		return err
	}
	defer up.Close()
	down, err := OpenDownstream(env.Log, cfg)
	if err != nil {
		return err
	}
	defer down.Close()
	run := between(env, cfg, up, down)
	run.Filter = keep
	prepare(up, down, &run)
	_, err = ingest.Run(ctx, run)
	if unusable, ok := errors.AsType[*ingest.SettingError](err); ok {
		return cfg.Refuse(unusable.Setting, unusable.Err)
	}
	return err
}

// between is the run that the settings ask for, between these ends.
func between(env *shell.Env, cfg *config.Config, up Upstream, down Downstream) ingest.Config {
	c := settings.Ingest(cfg)
	c.Environ, c.Logger = env.Environ, env.Log
	c.Health.Version, c.Health.Commit, c.Health.Runbook = build.Read().Version, build.Read().Commit, shell.Documents()+"runbook.md"
	c.RelayURL = up.Endpoint.String()
	c.Source = func(heard event.Observer, stop func(error)) (pipeline.FrameSource, error) {
		up.Stop = stop
		return up.Source(env, cfg, heard)
	}
	c.Sink.Connection, c.Sink.MaxLen, c.Sink.Identity.Relay = down.Connection, down.MaxLen, up.Identity
	if up.Whole && !c.Sink.From.Requested { // live would be at its end
		c.Sink.From.Requested, c.Sink.From.At = true, event.Position{Start: event.Oldest}
	}
	if c.Spill != nil {
		c.Spill.Owner.Relay = up.Identity
	}
	return c
}
