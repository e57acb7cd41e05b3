package main

import (
	"context"
	"errors"
	"strings"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// reader opens the Redis that --redis-url names for commands that look at it.
// Unlike ingest they do not wait for a Redis that is away.
func (s *session) reader(ctx context.Context) (*redisstream.Reader, error) {
	return s.readerOf(ctx, s.cfg.Redis.Partitions, false)
}

// readerOf reads the keys as that many partitions; with anyCount also where they
// were written as another number.
func (s *session) readerOf(ctx context.Context, partitions int, anyCount bool) (*redisstream.Reader, error) {
	raw := s.cfg.Redis.URL
	if strings.HasPrefix(raw, "embedded:") {
		return nil, s.cfg.Refuse("redis-url", fault.New(fault.Usage,
			errors.New("embedded:// would start another server, with nothing in it"),
			`take the redis:// address that "fhctl ingest" logged when it started`))
	}
	password, err := s.redisPassword()
	if err != nil {
		return nil, err
	}
	return redisstream.OpenReader(ctx, redisstream.ReaderConfig{
		Connection: s.connection(raw, password),
		StreamKey:  s.cfg.Redis.StreamKey,
		CursorKey:  s.cfg.Redis.CursorKey,
		Partitions: partitions,
		OtherCount: anyCount,
	})
}
