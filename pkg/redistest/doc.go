// Package redistest gives tests a Redis to break: real redis-server processes
// that can be killed, paused and restarted, or the embedded server where none
// is installed, and a TCP proxy that loses replies and cuts connections.
//
// Everything it starts is ended when the test ends, also when the test panics
// or times out. Set FHCTL_TEST_REDIS=embedded to pretend that no redis-server
// is installed.
package redistest
