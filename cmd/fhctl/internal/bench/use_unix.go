//go:build unix

package bench

import (
	"runtime"
	"syscall"
	"time"
)

// processUse is the CPU time this process has used and the most memory it has
// had resident, in bytes.
func processUse() (cpu time.Duration, peak int64) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, 0
	}
	unit := int64(1024)
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), int64(u.Maxrss) * unit
}
