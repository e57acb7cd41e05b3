package settings

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// OpenReader opens the Redis that --redis-url names for commands that look at it.
// Unlike ingest they do not wait for a Redis that is away.
func OpenReader(ctx context.Context, log *slog.Logger, cfg *config.Config) (*reader.Reader, error) {
	return OpenReaderOf(ctx, log, cfg, cfg.Redis.Partitions, false)
}

// OpenReaderOf reads the keys as that many partitions; with anyCount also where they
// were written as another number.
func OpenReaderOf(ctx context.Context, log *slog.Logger, cfg *config.Config, partitions int, anyCount bool) (*reader.Reader, error) {
	raw := cfg.Redis.URL
	if strings.HasPrefix(raw, "embedded:") {
		return nil, cfg.Refuse("redis-url", fault.New(fault.Usage,
			errors.New("embedded:// would start another server, with nothing in it"),
			`take the redis:// address that "fhctl ingest" logged when it started`))
	}
	password, err := RedisPassword(cfg)
	if err != nil {
		return nil, err
	}
	return reader.Open(ctx, reader.Config{
		Connection: Connection(log, cfg, raw, password),
		StreamKey:  cfg.Redis.StreamKey,
		CursorKey:  cfg.Redis.CursorKey,
		Partitions: partitions,
		OtherCount: anyCount,
	})
}
