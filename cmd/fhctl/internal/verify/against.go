package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/audit"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/verify"
)

// compare judges the stream by another one.
func (r *verifyRun) compare(ctx context.Context, here *reader.Reader) error {
	other := r.other()
	there, err := settings.OpenReaderOf(ctx, r.Log, other, other.Redis.Partitions, true)
	if err != nil {
		return fmt.Errorf("open the other stream: %w", err)
	}
	defer closeWith(ctx, there)()
	o := r.options(verify.OfPair)
	r.report.name += " against " + r.against + " at " + fault.Redact(other.Redis.URL)
	sum, err := audit.Against(ctx, here, there, r.stretch(), o)
	if errors.Is(err, audit.ErrItself) {
		return r.errItself()
	}
	return r.outcome(ctx, sum, err)
}

// other is the settings of the stream that --against names.
func (r *verifyRun) other() *config.Config {
	cfg := *r.cfg
	if r.againstRedisURL != "" {
		cfg.Redis.URL, cfg.Redis.URLName, cfg.Redis.PasswordFile = r.againstRedisURL, "--against-redis-url", ""
	}
	cfg.Redis.StreamKey = r.against
	if r.againstPartitions > 0 {
		cfg.Redis.Partitions = r.againstPartitions
	}
	return &cfg
}

// errItself refuses what would be clean whatever it holds.
func (r *verifyRun) errItself() error {
	return shell.UsageError(fmt.Errorf("--against %s is the stream itself", r.against), "name the stream to compare with; fhctl verify without --against judges one alone")
}

// refuseItself refuses, before anything is connected, the same stream by the same
// URL. A partition of a set is a part of it.
func (r *verifyRun) refuseItself() error {
	if other := r.other(); other.Redis.URL == r.cfg.Redis.URL && r.sharesKeys(other) {
		return r.errItself()
	}
	return nil
}

func (r *verifyRun) sharesKeys(other *config.Config) bool {
	mine := streamKeys(r.cfg)
	return slices.ContainsFunc(streamKeys(other), func(key string) bool { return slices.Contains(mine, key) })
}

// streamKeys are the keys that the settings' stream is made of.
func streamKeys(cfg *config.Config) []string {
	if cfg.Redis.Partitions <= 1 {
		return []string{cfg.Redis.StreamKey}
	}
	keys := make([]string, cfg.Redis.Partitions)
	for i := range keys {
		keys[i] = keyspace.Partition(cfg.Redis.StreamKey, i)
	}
	return keys
}
