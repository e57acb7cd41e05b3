//go:build !linux

package redistest

import "syscall"

// dieWithParent has no equivalent here: a test binary that is killed may leave
// its server behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
