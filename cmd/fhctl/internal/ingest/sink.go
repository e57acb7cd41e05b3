package ingest

import (
	"context"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// sink opens the Redis writer; it waits for Redis, visibly, until ctx ends.
func sink(d endpoint.Downstream, ctx context.Context, cfg *config.Config, up endpoint.Upstream, filters string, heard event.Observer, moved func(event.CursorMove)) (endpoint.RedisSink, error) {
	from := redisstream.From{Requested: !cfg.Ingest.From.Saved, At: cfg.Ingest.From.Position}
	if up.Whole && !from.Requested {
		from = redisstream.From{Requested: true, At: event.Position{Start: event.Oldest}}
	}
	return endpoint.OpenSink(ctx, redisstream.Config{
		Connection:    d.Connection,
		StreamKey:     cfg.Redis.StreamKey,
		CursorKey:     cfg.Redis.CursorKey,
		MaxLen:        d.MaxLen,
		WhenFull:      settings.WhenFull[cfg.Redis.WhenFull],
		GroupTimeout:  cfg.Redis.GroupTimeout,
		Identity:      redisstream.Identity{Relay: up.Identity, Filter: filters, Partitions: cfg.Redis.Partitions},
		From:          from,
		Writer:        writerName(),
		AllowEviction: cfg.Redis.AllowEviction,
		Notify:        heard.Store,
		Refused:       func(r *event.Reject, data []byte) { tellRefused(heard, r, data) },
		Alarm:         heard.Alarm,
		CursorMoved:   moved,
	})
}
