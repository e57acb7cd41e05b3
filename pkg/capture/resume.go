package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/files"
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
	return start(path, file)
}

// Resume goes on with a partial capture behind its first size bytes, which is
// what a Checkpoint returned; what a crash left behind them is dropped. Of a
// partial capture that became shorter what is whole is kept: Kept says how far
// that reaches. One that is missing, or damaged before size, is a fault.Data
// error.
func Resume(path string, size int64) (*Writer, error) {
	if err := free(path); err != nil {
		return nil, err
	}
	file, err := openPartial(PartialName(path))
	if err != nil {
		return nil, err
	}
	w, err := goOn(path, file, size)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w, nil
}

func goOn(path string, file *os.File, size int64) (*Writer, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("resume capture: %w", err)
	}
	k, err := walk(file, min(size, info.Size()))
	switch {
	case err == nil && k.damage != nil:
		frames := int64(0)
		if k.last != nil {
			frames = k.last.Before + int64(k.last.Frames)
		}
		return nil, partialLost(fmt.Errorf("%s: %w", file.Name(), &Damage{Frames: frames, Err: k.damage}))
	case err == nil && k.plain && info.Size() < size:
		return nil, partialLost(fmt.Errorf("%s is cut short: %d bytes are left, %d were written", file.Name(), info.Size(), size))
	case errors.Is(err, errNoHeader):
		return nil, partialLost(fmt.Errorf("%s is not the file that was recorded", file.Name()))
	case err != nil:
		return nil, fmt.Errorf("resume capture: %w", err)
	}
	if err = file.Truncate(k.size); err == nil {
		_, err = file.Seek(k.size, io.SeekStart)
	}
	w := &Writer{path: path, file: file, pack: block.NewPacker(0), index: k.index, size: k.size, plain: k.plain}
	if k.last != nil {
		w.pack.Continue(k.last, k.first)
	}
	if err == nil && k.size == 0 {
		err = w.put(block.AppendHeader(nil))
	}
	if err != nil {
		return nil, fmt.Errorf("resume capture: %w", err)
	}
	return w, nil
}

// Kept is what a resumed capture holds: how many bytes and frames, and the
// highest seq. Of a capture that an earlier version began only the bytes are
// known.
func (w *Writer) Kept() (size, frames int64, last event.Seq) {
	end := w.pack.End(0)
	return w.size, end.Frames, end.Last
}

func openPartial(name string) (*os.File, error) {
	before, err := os.Lstat(name)
	if err != nil {
		return nil, partialLost(err)
	}
	if !before.Mode().IsRegular() {
		return nil, partialLost(fmt.Errorf("%s is %s, not the file that was recorded", name, files.Kind(before.Mode())))
	}
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, fault.New(createClass(err), fmt.Errorf("resume capture: %w", err), "let this user read and write the file")
	}
	// A link put there since would have been followed.
	after, err := file.Stat()
	if err == nil && !os.SameFile(before, after) {
		err = errors.New(name + " was replaced meanwhile")
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

// Checkpoint writes what there is as a block, syncs the file to disk, and
// returns how many bytes of it are good: where Resume can go on, whatever happens
// after.
func (w *Writer) Checkpoint() (size int64, err error) {
	if err := w.Flush(); err != nil {
		return 0, err
	}
	if err := w.file.Sync(); err != nil {
		return 0, w.fail(err)
	}
	return w.size, nil
}

// Suspend is Checkpoint and then the end of this Writer, without giving the
// capture its name. Close or Discard must not follow.
func (w *Writer) Suspend() (size int64, err error) {
	size, err = w.Checkpoint()
	return size, errors.Join(err, w.file.Close())
}
