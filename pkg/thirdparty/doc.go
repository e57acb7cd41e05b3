// Package thirdparty finds third-party test data for tests. The data lies beside
// the module, in ../shared/testdata, or where FHCTL_TESTDATA says; it is never
// part of the project, so every test that uses it skips where it is missing and
// says what it missed.
//
// Call [Frames] for frames that relays sent, and [Path], [Read] or [JSON] for any other
// file.
package thirdparty
