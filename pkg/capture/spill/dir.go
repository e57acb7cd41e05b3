package spill

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fhctl/fhctl/pkg/fault"
)

// Owner says whose frames a directory holds: they mean nothing under another
// relay's numbering, and nothing behind another cursor.
type Owner struct {
	Relay  string `json:"relay"`
	Stream string `json:"stream"`
	Cursor string `json:"cursor"`
}

// claim makes the directory, locks it for this process and checks its owner.
// Close the lock to give it back.
func claim(dir string, owner Owner) (lock *os.File, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, refused(err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, refused(err)
	}
	if !info.IsDir() {
		return nil, fault.New(fault.Usage, fmt.Errorf("use spill directory: %s is not a directory", dir), "name a directory of its own, not a link to one")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fault.New(fault.Usage, fmt.Errorf("use spill directory: %s may be read by others (mode %o)", dir, info.Mode().Perm()),
			"run chmod 700 "+dir)
	}
	lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, refused(err)
	}
	if err := take(lock); err != nil {
		return nil, errors.Join(fault.New(fault.Conflict, fmt.Errorf("use spill directory: another process uses %s", dir),
			"give each ingest a directory of its own, or stop the other one"), lock.Close())
	}
	if err := own(dir, owner); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func refused(err error) error {
	class := fault.Usage
	if errors.Is(err, fs.ErrPermission) {
		class = fault.Refused
	}
	return fault.New(class, fmt.Errorf("use spill directory: %w", err), "name a directory that fhctl may write")
}

// own compares the owner with the one the directory has, and writes it down
// where there is none or nothing is left of the former one.
func own(dir string, owner Owner) error {
	path := filepath.Join(dir, "owner.json")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return refused(err)
	}
	var found Owner
	if err == nil && json.Unmarshal(text, &found) == nil && found == owner {
		return nil
	}
	left, err := scan(dir)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fault.New(fault.Conflict, fmt.Errorf("use spill directory: %s holds frames of relay %s for cursor %s; this run has relay %s, cursor %s",
			dir, or(found.Relay, "(unknown)"), or(found.Cursor, "(unknown)"), owner.Relay, owner.Cursor),
			"name another directory, or let a run with the former settings store what is there, or remove it")
	}
	text, _ = json.Marshal(owner)
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return refused(err)
	}
	return nil
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
