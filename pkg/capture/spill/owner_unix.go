//go:build unix

package spill

import (
	"io/fs"
	"os"
	"syscall"
)

// ours reports whether a file belongs to the user this process runs as.
func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(stat.Uid) == os.Geteuid()
}

// syncDir makes the names in a directory last.
func syncDir(dir *os.File) error { return dir.Sync() }
