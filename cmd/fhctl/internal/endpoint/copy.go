package endpoint

import (
	"context"
	"log/slog"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/replay"
)

// CopyCursor is the name of the cursor of a stream that a replay made: of such a copy
// the live cursor says nothing. It is "" of other streams, and where somebody chose a
// cursor.
func CopyCursor(ctx context.Context, cfg *config.Config, stream *reader.Reader) string {
	key := cfg.Redis.StreamKey
	if key == keyspace.DefaultStream || cfg.Origin("cursor-key").Layer != config.LayerDefault {
		return ""
	}
	for _, name := range replay.CursorNames(key, cfg.Redis.Partitions) {
		first := name
		if stream.IsSet() {
			first = keyspace.Partition(name, 0)
		}
		// A user who may not read this key has no replays to judge, and what is
		// no string there is not a replay's.
		if c, err := stream.CursorAt(ctx, first); err == nil && (c.Present || c.SidePresent) {
			return name
		}
	}
	return ""
}

// WithOwnCursor is the settings and the stream with the cursor that is the stream's. Of
// a replay's copy they are others, and the stream that was given is closed.
func WithOwnCursor(ctx context.Context, log *slog.Logger, cfg *config.Config, stream *reader.Reader) (*config.Config, *reader.Reader, error) {
	name := CopyCursor(ctx, cfg, stream)
	if name == "" {
		return cfg, stream, nil
	}
	own := *cfg
	own.Redis.CursorKey = name
	_ = stream.Close() // nothing was written
	stream, err := settings.OpenReader(ctx, log, &own)
	return &own, stream, err
}
