package capture

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/fault"
)

// Writer makes one capture. Until Close the bytes are in a hidden file beside
// the final name, so that the name never shows half a capture. It is not safe
// for concurrent use.
type Writer struct {
	path  string
	file  *os.File
	pack  *block.Packer
	index block.Index
	size  int64 // bytes written
	plain bool  // goes on with a capture that an earlier version began
	err   error // of the first failed write; nothing is written after it
}

// Create begins a capture that Close will put at path. The file is private
// (0600). What exists at path is never replaced or followed, symbolic links
// included: that is a fault.Usage error, now or at Close.
func Create(path string) (*Writer, error) {
	if err := free(path); err != nil {
		return nil, err
	}
	dir, name := filepath.Split(path)
	temp := filepath.Join(dir, "."+name+"."+rand.Text()[:8]+".partial")
	file, err := exclusive(temp)
	if err != nil {
		return nil, err
	}
	return start(path, file)
}

// exclusive makes a private file. O_EXCL with O_CREATE also refuses a symbolic
// link at that name.
func exclusive(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		hint := "name a file in a directory that exists and may be written"
		if errors.Is(err, fs.ErrNotExist) {
			hint = "the directory does not exist: make it first, or name another"
		}
		return nil, fault.New(createClass(err), fmt.Errorf("create capture: %w", err), hint)
	}
	return file, nil
}

// start begins a capture in an empty file.
func start(path string, file *os.File) (*Writer, error) {
	w := &Writer{path: path, file: file, pack: block.NewPacker(0)}
	if err := w.put(block.AppendHeader(nil)); err != nil {
		return nil, errors.Join(fmt.Errorf("create capture: %w", err), file.Close(), os.Remove(file.Name()))
	}
	return w, nil
}

// put writes data behind what was written.
func (w *Writer) put(data []byte) error {
	n, err := w.file.Write(data)
	w.size += int64(n)
	return err
}

func createClass(err error) fault.Class {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fault.Refused
	case errors.Is(err, fs.ErrNotExist):
		return fault.Usage
	}
	return fault.Internal
}

// free reports whether nothing is at path yet, not even a dangling link.
func free(path string) error {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("create capture: %s exists", path)
		return fault.New(fault.Usage, err, "choose another name or remove it first")
	}
	return fmt.Errorf("create capture: %w", err)
}

// Write adds a frame, copying it. A frame above MaxFrame is refused; other
// errors are those of the file, and final.
func (w *Writer) Write(frame []byte) error {
	if len(frame) > MaxFrame {
		return fmt.Errorf("write capture: a frame of %d bytes is above the limit of %d", len(frame), MaxFrame)
	}
	if w.err != nil {
		return w.err
	}
	if len(frame) > block.MaxSize && !w.plain {
		return w.alone(frame)
	}
	if err := w.pack.Add(frame); err != nil {
		return w.fail(err)
	}
	if w.pack.Full() {
		return w.Flush()
	}
	return nil
}

func (w *Writer) fail(err error) error {
	w.err = fmt.Errorf("write capture: %w", err)
	return w.err
}

// Flush hands every frame so far to the operating system, as a block: after a
// crash the hidden file still yields them, and then Damage that says Cut.
func (w *Writer) Flush() error {
	if w.err != nil || w.pack.Pending() == 0 {
		return w.err
	}
	_, packed, b := w.pack.Pack()
	if !w.plain {
		w.index.Add(&b, w.size)
		packed = w.pack.Whole()
	}
	if err := w.put(packed); err != nil {
		return w.fail(err)
	}
	w.pack.Commit()
	return nil
}

// alone writes a large frame as a block of its own, without a copy of it. The descriptor
// goes first, as everywhere, so that a crash leaves a file that is cut and nothing else.
func (w *Writer) alone(frame []byte) error {
	if err := w.Flush(); err != nil {
		return err
	}
	descriptor, b, err := w.pack.MeasureAlone(frame)
	if err != nil {
		return w.fail(err)
	}
	w.index.Add(&b, w.size)
	if err := w.put(descriptor); err != nil {
		return w.fail(err)
	}
	if _, _, err := w.pack.PackAlone(frame, w.put); err != nil {
		return w.fail(err)
	}
	w.pack.Commit()
	return nil
}

// end writes what comes behind the last block.
func (w *Writer) end() error {
	if err := w.Flush(); err != nil || w.plain {
		return err
	}
	return w.put(w.pack.End(w.size).Append(w.index.Append(nil)))
}

// Close completes the capture, syncs it to disk and gives it its name. After
// an error the hidden file stays, so that nothing recorded is lost; the error
// names it.
func (w *Writer) Close() error {
	temp := w.file.Name()
	err := w.end()
	if err == nil {
		err = w.file.Sync()
	}
	err = errors.Join(err, w.file.Close())
	if err == nil {
		err = publish(temp, w.path)
	}
	if err != nil {
		return fault.New(fault.ClassOf(err), fmt.Errorf("finish capture: %w", err), "what was recorded is in "+temp)
	}
	return nil
}

// publish gives temp its name. A hard link, unlike a rename, fails when the
// name has been taken meanwhile.
func publish(temp, path string) error {
	err := os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Usage, err, "")
	}
	if err == nil {
		return os.Remove(temp)
	}
	// Some filesystems have no hard links.
	if err := free(path); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// Discard ends the capture and removes what was written.
func (w *Writer) Discard() error {
	return errors.Join(w.file.Close(), os.Remove(w.file.Name()))
}
