package settings

import (
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/filter"
)

// FilterOf is the filter of the settings.
func FilterOf(cfg *config.Config) (*filter.Filter, error) {
	return filter.New(filter.Config{
		Collections: cfg.Ingest.Collections, DIDs: cfg.Ingest.DIDs, Kinds: cfg.Ingest.Kinds,
	})
}
