package endpoint

import (
	"time"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/stats"
)

// NamedRelay is the host of a relay that somebody named, in whatever way; the
// default is nobody's word.
func NamedRelay(cfg *config.Config) string {
	if cfg.Origin("relay-url").Layer == config.LayerDefault {
		return ""
	}
	end, err := ParseRelay(cfg.Relay.URL, true)
	if err != nil || end.Kind != Real {
		return "" // sim:// and capture: have names of their own
	}
	return end.Identity
}

// StatsOptions is what the settings say of a report; assumed is a window that nobody
// chose.
func StatsOptions(cfg *config.Config, window time.Duration, assumed bool) stats.Options {
	return stats.Options{Redis: cfg.Redis.URL, Relay: NamedRelay(cfg), MaxLength: cfg.Redis.MaxStreamLen, Window: window, WindowAssumed: assumed}
}
