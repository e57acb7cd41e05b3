//go:build unix

package redistest

import (
	"errors"
	"syscall"
)

// SignalStop halts a process and SignalContinue lets it run on.
const SignalStop, SignalContinue = syscall.SIGSTOP, syscall.SIGCONT

// gone reports whether the process has ended and was waited for.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
