package main

import (
	"context"
	"log/slog"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/stats"
)

// copyCursor is the name of the cursor of a stream that a replay made: of such a copy
// the live cursor says nothing. It is "" of other streams, and where somebody chose a
// cursor.
func copyCursor(ctx context.Context, cfg *config.Config, reader *redisstream.Reader) string {
	key := cfg.Redis.StreamKey
	if key == keyspace.DefaultStream || cfg.Origin("cursor-key").Layer != config.LayerDefault {
		return ""
	}
	for _, name := range replayCursors(key, cfg.Redis.Partitions) {
		first := name
		if reader.IsSet() {
			first = keyspace.Partition(name, 0)
		}
		// A user who may not read this key has no replays to judge, and what is
		// no string there is not a replay's.
		if c, err := reader.CursorAt(ctx, first); err == nil && (c.Present || c.SidePresent) {
			return name
		}
	}
	return ""
}

// withOwnCursor is the settings and the reader with the cursor that is the stream's. Of
// a replay's copy they are others, and the reader that was given is closed.
func withOwnCursor(ctx context.Context, log *slog.Logger, cfg *config.Config, reader *redisstream.Reader) (*config.Config, *redisstream.Reader, error) {
	name := copyCursor(ctx, cfg, reader)
	if name == "" {
		return cfg, reader, nil
	}
	own := *cfg
	own.Redis.CursorKey = name
	_ = reader.Close() // nothing was written
	reader, err := openReader(ctx, log, &own)
	return &own, reader, err
}

// copied judges the cursor of a stream that a replay made: no relay and no filter is
// this one's.
func (e *examination) copied(c redisstream.CursorState, s *stats.Report) {
	var last event.Seq
	if s != nil {
		last = s.Stream.LastSeq()
	}
	const fix = "replay into another stream and delete this one, or go on with --resume if the replay did not finish; leave the live cursor"
	key := e.cfg.Redis.CursorKey
	switch {
	case c.NotSeq:
		e.fail("cursor", fix, "%s holds %.32q, which is no seq: a replay does not go on", key, c.Raw)
	case !c.Present && last > 0:
		e.fail("cursor", fix, "%s is gone although the copy holds entries", key)
	case last > c.Seq:
		e.fail("cursor", fix, "%s, of a replay, is behind the copy, which ends with %s: going on would store events twice", c.Seq, last)
	default:
		e.ok("cursor", "%s, of a replay (%s): a copy, which no ingest feeds", c.Seq, key)
	}
}
