package spill

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/fhctl/fhctl/pkg/fault"
)

// Owner says whose frames a directory holds: they mean nothing under another
// relay's numbering, and nothing behind another cursor.
type Owner struct {
	Relay  string `json:"relay"`
	Stream string `json:"stream"`
	Cursor string `json:"cursor"`
}

const (
	lockName  = "lock"
	ownerName = "owner.json"
	maxOwner  = 64 << 10 // bytes of owner.json
)

// place is a directory that this process has locked.
type place struct {
	root *os.Root
	lock *os.File
}

func (p *place) close() error { return errors.Join(p.lock.Close(), p.root.Close()) }

// claim makes the directory and locks it for this process. It must be a
// directory of this user that nobody else can look into; links are not followed.
func claim(dir string) (*place, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, refused(err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, refused(err)
	}
	switch {
	case !info.IsDir():
		return nil, fault.New(fault.Usage, fmt.Errorf("use spill directory: %s is not a directory", dir), "name a directory of its own, not a link to one")
	case !ours(info):
		return nil, fault.New(fault.Refused, fmt.Errorf("use spill directory: %s belongs to another user, who could change what is stored", dir),
			"give the directory to the user that runs this program, or name another")
	case info.Mode().Perm()&0o077 != 0:
		return nil, fault.New(fault.Usage, fmt.Errorf("use spill directory: %s may be read by others (mode %o)", dir, info.Mode().Perm()),
			"run chmod 700 "+dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, refused(err)
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(info, opened) {
		return nil, errors.Join(refused(errors.Join(fmt.Errorf("%s was replaced meanwhile", dir), err)), root.Close())
	}
	lock, err := lockIn(dir, root)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &place{root: root, lock: lock}, nil
}

func lockIn(dir string, root *os.Root) (*os.File, error) {
	if _, err := (rootFolder{root}).info(lockName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, refused(err)
	}
	lock, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, refused(err)
	}
	if err := take(lock); err != nil {
		return nil, errors.Join(fault.New(fault.Conflict, fmt.Errorf("use spill directory: another process uses %s", dir),
			"give each ingest a directory of its own, or stop the other one"), lock.Close())
	}
	return lock, nil
}

func refused(err error) error {
	class := fault.Usage
	if errors.Is(err, fs.ErrPermission) {
		class = fault.Refused
	}
	return fault.New(class, fmt.Errorf("use spill directory: %w", err), "name a directory that this user may write")
}

// own compares the owner with the one the directory has, and writes it down
// where there is none or nothing is left of the former one.
func own(dir folder, name string, owner Owner, left int) error {
	var found Owner
	text, err := readOwner(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return refused(err)
	}
	if err == nil && json.Unmarshal(text, &found) == nil && found == owner {
		return nil
	}
	if left > 0 {
		return fault.New(fault.Conflict, fmt.Errorf("use spill directory: %s holds frames of relay %s for cursor %s; this run has relay %s, cursor %s",
			name, cmp.Or(found.Relay, "(unknown)"), cmp.Or(found.Cursor, "(unknown)"), owner.Relay, owner.Cursor),
			"name another directory, or let a run with the former settings store what is there, or remove it")
	}
	if err := writeOwner(dir, owner); err != nil {
		return refused(err)
	}
	return nil
}

func readOwner(dir folder) ([]byte, error) {
	size, err := dir.look(ownerName)
	if err != nil {
		return nil, err
	}
	f, err := dir.open(ownerName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, 0, min(size, maxOwner)))
}

// writeOwner replaces the file in one step.
func writeOwner(dir folder, owner Owner) error {
	text, err := json.Marshal(owner)
	if err != nil {
		return err
	}
	temp := ownerName + ".new"
	if err := dir.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.create(temp)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, dir.remove(temp))
	}
	if err := dir.rename(temp, ownerName); err != nil {
		return err
	}
	return dir.sync()
}
