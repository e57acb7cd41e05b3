package fault

import (
	"errors"
	"io/fs"
)

// Listening is the class of an error of net.Listen. The address is one that somebody
// chose on this machine, so no network is in the way: Refused when the system
// forbids it, else Usage, as with any value that cannot be used.
func Listening(err error) Class {
	if errors.Is(err, fs.ErrPermission) {
		return Refused
	}
	return Usage
}
