// Package relaytest is a kit for tests that need a relay: a server on loopback
// that ends with the test, small valid frames, and their seqs.
//
// Call [Start] with a [Log], which holds frames of a range of seqs.
package relaytest
