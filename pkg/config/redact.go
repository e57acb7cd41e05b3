package config

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/files"
)

// secretLimit is far above any password and keeps a wrong path from filling
// memory.
const secretLimit = 64 << 10

// secretPatience bounds the wait for a password that comes through a pipe.
const secretPatience = 5 * time.Second

// ReadSecret reads a password from a file and drops blanks and line ends around
// it, which editors and here-documents leave there.
// An unreadable, empty or oversized file is an error of class usage that names
// the file and nothing of its content. A path that leads to no file is not repeated:
// it may be the password itself.
func ReadSecret(path string) (string, error) {
	data, err := files.ReadPiped(path, secretLimit, secretPatience)
	switch {
	case err == nil:
	case errors.As(err, new(*files.TooLarge)):
		err = errors.New("it is too long to be a password")
	case noSuchFile(path):
		return "", fault.New(fault.Usage, errors.New("read secret: the file that it names does not exist; its name is not shown, since it may be the password itself"),
			"write the password into a file, and give the file's path here; a path that is not absolute begins at the working directory")
	default:
		return "", fault.New(fault.Usage, fmt.Errorf("read secret: %w", err), "check the path and who may read it")
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) // a mark that editors leave
	switch {
	case err != nil:
	case len(data) == 0:
		err = errors.New("it is empty")
	case bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")):
		err = errors.New("it is UTF-16 and not UTF-8")
	}
	if err != nil {
		return "", fault.New(fault.Usage, fmt.Errorf("read secret %s: %w", path, err), "write the password and nothing else into the file")
	}
	return string(data), nil
}
