// Package redistest gives tests a Redis to break: real redis-server processes
// that can be killed, paused and restarted, or the embedded server where none
// is installed, and a TCP proxy that loses replies and cuts connections.
//
// Call [Start], or [Each] for a test that is to run against a real server and the
// embedded one; [NewProxy] stands in front of either, and [StartCluster] runs a
// cluster.
//
// Everything it starts is ended when the test ends, also when the test panics
// or times out. Set FHCTL_TEST_REDIS=embedded to pretend that no redis-server
// is installed.
package redistest
