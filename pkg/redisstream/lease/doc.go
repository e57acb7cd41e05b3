// Package lease decides who of several writers leads, as far as one of them can know.
//
// Call [New] for a writer's [Lease], [Lease.Take] with each answer of Redis, and do what
// the [Action] says. Which state follows which, and what is to be done then, is one
// table ([Table]); docs/pairs.md has the same table for people, and a test compares them.
//
// Nothing here asks Redis. The lease only saves other writers work: what may be appended
// is decided by comparing cursors, whoever leads.
package lease
