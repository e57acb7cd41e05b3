//go:build !unix

package redistest

import (
	"os"
	"syscall"
)

// SignalStop halts a process and SignalContinue lets it run on. This system has
// no such signals and no redis-server to send them to: sending them fails.
const SignalStop, SignalContinue = syscall.Signal(19), syscall.Signal(18)

// gone reports whether the process has ended and was waited for.
func gone(pid int) bool {
	process, err := os.FindProcess(pid)
	if err == nil {
		_ = process.Release()
	}
	return err != nil
}
