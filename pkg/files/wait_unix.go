//go:build unix

package files

import "syscall"

// dontWait opens a pipe without a writer at once.
const dontWait = syscall.O_NONBLOCK
