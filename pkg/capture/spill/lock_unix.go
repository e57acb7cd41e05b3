//go:build unix

package spill

import (
	"os"
	"syscall"
)

// take locks the file until it is closed, or the process ends however it does.
func take(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
