//go:build !linux

package main

import "testing"

// smallDisk needs tmpfs.
func smallDisk(t *testing.T) (dir string, grow func()) {
	t.Helper()
	t.Skip("a full disk needs a small tmpfs, which only Linux mounts")
	return "", nil
}
