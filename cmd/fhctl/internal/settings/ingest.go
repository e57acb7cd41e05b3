// Package settings turns the checked settings into the configuration of each library, and
// is the only place that does.
package settings

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"github.com/fhctl/fhctl/pkg/capture/spill"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/ingest"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/rejects"
	"github.com/fhctl/fhctl/pkg/relay"
)

// Ingest is what the settings say of a run of ingest, without the relay and the Redis
// that it runs between, which have to be opened first.
func Ingest(cfg *config.Config) ingest.Config {
	host, _ := os.Hostname()
	c := ingest.Config{
		Sink: redisstream.Config{
			StreamKey:     cfg.Redis.StreamKey,
			CursorKey:     cfg.Redis.CursorKey,
			WhenFull:      whenFull[cfg.Redis.WhenFull],
			GroupTimeout:  cfg.Redis.GroupTimeout,
			Identity:      redisstream.Identity{Partitions: cfg.Redis.Partitions},
			From:          redisstream.From{Requested: !cfg.Ingest.From.Saved, At: cfg.Ingest.From.Position},
			Writer:        fmt.Sprintf("fhctl/%s-%d", host, os.Getpid()),
			AllowEviction: cfg.Redis.AllowEviction,
		},
		Pipeline: pipelineConfig(cfg),
		Health: health.Config{
			Host: host, Stream: cfg.Redis.StreamKey, Redis: fault.Redact(cfg.Redis.URL), Hosts: cfg.Health.Hosts,
			IdleTimeout: cfg.Ingest.IdleTimeout, RelayCauses: relay.Causes(), StoreCauses: conn.Causes(),
		},
		Listen:    cfg.Health.Addr,
		AnyPort:   cfg.Origin("health-addr").Layer == config.LayerDefault, // another ingest may have it
		Dashboard: cfg.Redis.Dashboard,
	}
	if cfg.Redis.WhenFull == config.WhenFullSpill {
		c.Spill = &spill.Config{
			Dir: cfg.Redis.SpillDir, MaxBytes: cfg.Redis.SpillMaxBytes, IdleTimeout: cfg.Ingest.IdleTimeout,
			Owner: spill.Owner{Stream: cfg.Redis.StreamKey, Cursor: cfg.Redis.CursorKey},
		}
	}
	if dir := cfg.Ingest.RejectsDir; dir != "" {
		c.Rejects = &rejects.Config{Dir: dir, MaxBytes: cfg.Ingest.RejectsMaxBytes}
	}
	return c
}

func pipelineConfig(cfg *config.Config) pipeline.Config {
	in := cfg.Ingest
	c := pipeline.Config{
		Decoders: in.Decoders, BatchSize: in.BatchSize, QueueBytes: in.QueueBytes,
		// Zero would take the pipeline's default; who writes 0 wants no wait.
		BatchAge: cmp.Or(in.BatchAge, time.Nanosecond),
		UntilSeq: in.UntilSeq, OnReset: pipeline.Wait, IdleTimeout: in.IdleTimeout,
	}
	if in.OnReset == config.OnResetFollow {
		c.OnReset = pipeline.Follow
	}
	return c
}

// whenFull is what the settings' words mean to the writer.
var whenFull = map[string]redisstream.WhenFull{
	config.WhenFullTrim:  redisstream.Trim,
	config.WhenFullBlock: redisstream.Block,
	config.WhenFullSpill: redisstream.Wait,
}
