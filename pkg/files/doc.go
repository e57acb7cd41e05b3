// Package files opens what a person names as an input. Only regular files are
// opened: a named pipe would block until somebody writes, a device may never
// end, and neither heeds a signal meanwhile. Everything has a limit in bytes.
//
// Call [Read] for a whole file and [Open] for one that is read piece by piece, which
// the caller closes. [ReadPiped] also takes what a shell hands over through a pipe.
package files
