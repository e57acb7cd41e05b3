//go:build !unix

package redistest

import "syscall"

// What halts a process and lets it run on: this system has no such signals, and
// no redis-server to send them to. Sending them fails.
const halt, resume = syscall.Signal(19), syscall.Signal(18)
