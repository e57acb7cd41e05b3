package shell

import (
	"os"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/output"
)

// OutTerminal is the terminal that standard output is, or nil.
func (a *Env) OutTerminal() *os.File {
	if file, ok := a.Out.(*os.File); ok && output.IsTerminal(file) {
		return file
	}
	return nil
}

// OutWidth is the columns of that terminal, 0 without one.
func (a *Env) OutWidth() int {
	if file := a.OutTerminal(); file != nil {
		return output.TerminalWidth(file)
	}
	return 0
}

// ColorOut reports whether standard output may be coloured.
func ColorOut(env *Env, cfg *config.Config) bool { return env.OutTerminal() != nil && !cfg.Log.NoColor }
