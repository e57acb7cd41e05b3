// Package wait is the one way to sleep: until a time has passed or a context has
// ended, whichever comes first. Call [For], or [Unless] where closing a channel ends
// the wait as well.
//
// It holds no goroutine and no state. In a testing/synctest bubble it takes no real
// time.
package wait
