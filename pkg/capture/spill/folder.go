package spill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/fhctl/fhctl/pkg/files"
)

// folder is what spilling asks of its directory. Names have no path in them.
// Tests put one in its place that fails as disks do.
type folder interface {
	list() ([]string, error)
	// look says what a name stands for, without following a link.
	look(name string) (size int64, err error)
	create(name string) (file, error) // a name that exists is an error
	open(name string) (file, error)
	rename(old, name string) error
	remove(name string) error
	sync() error // makes names last
}

// file is an open file of a folder.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// errStranger is a name that is not a file of ours: a link, a directory, or
// somebody else's file.
var errStranger = errors.New("it is not a file of this user")

// rootFolder is a directory of the system. Everything is opened beneath it.
type rootFolder struct{ root *os.Root }

func (f rootFolder) list() (names []string, err error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (f rootFolder) look(name string) (int64, error) {
	info, err := f.info(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f rootFolder) info(name string) (fs.FileInfo, error) {
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s: %w", name, files.Kind(info.Mode()), errStranger)
	}
	if !ours(info) {
		return nil, fmt.Errorf("%s belongs to somebody else: %w", name, errStranger)
	}
	return info, nil
}

func (f rootFolder) create(name string) (file, error) {
	return fileOf(f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

func (f rootFolder) open(name string) (file, error) {
	before, err := f.info(name)
	if err != nil {
		return nil, err
	}
	opened, err := f.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	// A link put there since would have been followed.
	if after, err := opened.Stat(); err != nil || !os.SameFile(before, after) {
		_ = opened.Close()
		return nil, errors.Join(fmt.Errorf("%s was replaced meanwhile: %w", name, errStranger), err)
	}
	return opened, nil
}

// fileOf keeps a nil file from becoming an interface that is not nil.
func fileOf(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f rootFolder) rename(old, name string) error { return f.root.Rename(old, name) }
func (f rootFolder) remove(name string) error      { return f.root.Remove(name) }

func (f rootFolder) sync() error {
	dir, err := f.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return syncDir(dir)
}
