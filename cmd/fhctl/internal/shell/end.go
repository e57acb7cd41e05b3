package shell

import "errors"

// ErrAtEnd ends reading where --end wants it.
var ErrAtEnd = errors.New("the end was reached")
