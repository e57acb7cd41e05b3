package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// NotRegular is the error of a path that names something else than a regular
// file, which was not opened.
type NotRegular struct {
	Path string
	Kind string // with its article, such as "a directory"
}

// Error names the path and what it is.
func (e *NotRegular) Error() string { return e.Path + " is " + e.Kind + ", not a regular file" }

// TooLarge is the error of a file above the limit; nothing of it was kept.
type TooLarge struct {
	Path  string
	Limit int64 // in bytes
}

// Error names the path and the limit.
func (e *TooLarge) Error() string {
	return fmt.Sprintf("%s is larger than %d bytes", e.Path, e.Limit)
}

// Kind says what a file of this mode is, with its article.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a regular file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// Open opens the regular file at path for reading, following links. It never
// waits. Errors are *NotRegular, or the system's *fs.PathError.
func Open(path string) (*os.File, error) {
	return open(path, fs.FileMode.IsRegular)
}

func open(path string, good func(fs.FileMode) bool) (*os.File, error) {
	info, err := os.Stat(path) // opening a device may already do something
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			e.Op = "open"
		}
		return nil, err
	}
	if !good(info.Mode()) {
		return nil, &NotRegular{Path: path, Kind: Kind(info.Mode())}
	}
	file, err := os.OpenFile(path, os.O_RDONLY|dontWait, 0)
	if err != nil {
		return nil, err
	}
	// Somebody may have put another file there since.
	if info, err = file.Stat(); err == nil && !good(info.Mode()) {
		err = &NotRegular{Path: path, Kind: Kind(info.Mode())}
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// Read reads the regular file at path. Errors are those of Open, and *TooLarge
// above limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return read(file, path, limit)
}

// ReadPiped is Read for what may also come through a pipe, such as a shell's
// <(command): all of it must come within patience.
func ReadPiped(path string, limit int64, patience time.Duration) ([]byte, error) {
	file, err := open(path, func(mode fs.FileMode) bool { return mode.IsRegular() || mode&fs.ModeNamedPipe != 0 })
	if err != nil {
		return nil, err
	}
	defer file.Close()
	_ = file.SetReadDeadline(time.Now().Add(patience)) // a regular file has none and needs none
	data, err := read(file, path, limit)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("read %s: nothing came through the pipe within %s", path, patience)
	}
	return data, err
}

func read(in io.Reader, path string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &TooLarge{Path: path, Limit: limit}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
