package shell

import "github.com/fhctl/fhctl/pkg/config"

// Live reports whether people watch the log as text on a terminal, so that one
// line redrawn in place says more than a line per thousand events.
func Live(env *Env, cfg *config.Config) bool {
	return env.OnTerminal && cfg.Log.Format != config.FormatJSON
}
