//go:build !linux

package redistest

import "syscall"

// DieWithParent has no equivalent here: a test binary that is killed may leave
// its processes behind.
func DieWithParent() *syscall.SysProcAttr { return nil }
