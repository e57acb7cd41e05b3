package fault

import "errors"

// Class is the kind of failure, one per exit code.
type Class uint8

// The classes, in the order of docs/exit-codes.md.
const (
	Internal    Class = iota // unclassified: a bug until shown otherwise
	Usage                    // flags, arguments, settings
	Findings                 // a check ran and failed
	Unreachable              // relay or Redis could not be asked
	Refused                  // authentication or permission
	Cursor                   // the cursor is missing, damaged or another relay's
	Conflict                 // another writer, or the cursor moved
	Data                     // our own state is damaged; it cannot be skipped
	Deadline                 // a time limit passed first
	Interrupted              // stopped by a signal before finishing
)

var classNames = [...]string{
	"internal", "usage", "findings", "unreachable", "refused",
	"cursor", "conflict", "data", "deadline", "interrupted",
}

// String is the class as logs and JSON name it.
func (c Class) String() string { return classNames[c] }

// Error is an error with a class and, where one is known, a hint: one sentence
// that says what to type or look at next. It never holds a secret.
type Error struct {
	Class Class
	Hint  string
	Err   error
}

// Error is the wrapped error's text: class and hint are printed by the edge.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives errors.Is and errors.As what was wrapped.
func (e *Error) Unwrap() error { return e.Err }

// New classes err and attaches a hint, which may be empty. A nil err gives nil.
func New(class Class, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Class: class, Hint: hint, Err: err}
}

// ClassOf is the class nearest to the surface, Internal when there is none.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Internal
}

// HintOf is the hint nearest to the surface, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
