package redistest

import "syscall"

// DieWithParent ends a process with the test binary, however that ends.
func DieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
