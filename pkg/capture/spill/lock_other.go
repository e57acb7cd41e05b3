//go:build !unix

package spill

import (
	"errors"
	"os"
)

// take refuses: a directory that two processes could use is not safe.
func take(*os.File) error {
	return errors.New("this system has no file locks that end with the process")
}
