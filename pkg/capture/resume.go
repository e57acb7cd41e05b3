package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/fhctl/fhctl/pkg/fault"
)

// ErrPartial is in the error of CreatePartial when a partial capture of that
// name exists already.
var ErrPartial = errors.New("a run that did not finish left it")

// PartialName is where CreatePartial keeps a capture until it is complete.
func PartialName(path string) string { return path + ".partial" }

// CreatePartial is Create for long recordings that somebody may want to go on
// with: what is recorded lies in PartialName(path), which Resume opens again.
// A partial capture that exists is a fault.Usage error.
func CreatePartial(path string) (*Writer, error) {
	if err := free(path); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(PartialName(path)); err == nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("create capture: %s exists: %w", PartialName(path), ErrPartial),
			"go on with it, or remove it to begin anew")
	}
	file, err := exclusive(PartialName(path))
	if err != nil {
		return nil, err
	}
	return encode(path, file)
}

// Resume goes on with a partial capture behind its first size bytes, which is
// what a Checkpoint returned; what a crash left behind them is dropped. A
// partial capture that is missing or shorter is a fault.Data error.
func Resume(path string, size int64) (*Writer, error) {
	if err := free(path); err != nil {
		return nil, err
	}
	file, err := openPartial(PartialName(path), size)
	if err != nil {
		return nil, err
	}
	return encode(path, file)
}

func openPartial(name string, size int64) (*os.File, error) {
	before, err := os.Lstat(name)
	if err != nil {
		return nil, partialLost(err)
	}
	if !before.Mode().IsRegular() || before.Size() < size {
		return nil, partialLost(fmt.Errorf("%s is not the file that was recorded: %d bytes are left, %d were written", name, before.Size(), size))
	}
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return nil, fault.New(createClass(err), fmt.Errorf("resume capture: %w", err), "")
	}
	// A link put there since would have been followed.
	after, err := file.Stat()
	if err == nil && !os.SameFile(before, after) {
		err = errors.New(name + " was replaced meanwhile")
	}
	if err == nil {
		err = file.Truncate(size)
	}
	if err == nil {
		_, err = file.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("resume capture: %w", err), file.Close())
	}
	return file, nil
}

func partialLost(err error) error {
	class := fault.Data
	if errors.Is(err, fs.ErrPermission) {
		class = fault.Refused
	}
	return fault.New(class, fmt.Errorf("resume capture: %w", err), "begin anew, without resuming")
}

// Checkpoint ends what was written so far as a stream of its own, syncs it to
// disk, and returns how many bytes of the file are good: where Resume can go
// on, whatever happens after.
func (w *Writer) Checkpoint() (size int64, err error) {
	if w.err != nil {
		return 0, w.err
	}
	err = errors.Join(w.zst.Close(), w.file.Sync())
	if err == nil {
		size, err = w.file.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		return 0, w.fail(err)
	}
	w.zst.Reset(w.file)
	return size, nil
}

// Suspend is Checkpoint and then the end of this Writer, without giving the
// capture its name. Close or Discard must not follow.
func (w *Writer) Suspend() (size int64, err error) {
	size, err = w.Checkpoint()
	_ = w.zst.Close()
	return size, errors.Join(err, w.file.Close())
}
