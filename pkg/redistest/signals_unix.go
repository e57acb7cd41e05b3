//go:build unix

package redistest

import "syscall"

// What halts a process and lets it run on.
const halt, resume = syscall.SIGSTOP, syscall.SIGCONT
