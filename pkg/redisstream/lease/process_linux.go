package lease

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// pidSpace names where this process's id means something: the machine since it
// was booted, and the namespace within it. "" is unknown.
var pidSpace = sync.OnceValue(func() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(append(boot, space...))
	return fmt.Sprintf("%x", sum[:6])
})

// ended reports whether there is no such process, or nothing is left of it but
// its exit code. A process that is stopped has not ended.
func ended(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	// The state follows the name, which may hold anything but ends with ).
	// Other users' processes may be hidden here: they have not ended.
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := bytes.LastIndexByte(stat, ')')
	return i >= 0 && len(stat) > i+2 && stat[i+2] == 'Z'
}
