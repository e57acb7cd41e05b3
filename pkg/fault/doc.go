// Package fault classes errors, so that one place can turn any of them into an
// exit code and a hint. Libraries wrap what they know the cause of; an error
// nobody classed is an internal one. [Redact] keeps secrets out of what they say.
//
// Call [New] where the cause is known, and [ClassOf] and [HintOf] where an error ends.
// Wrapping by %w keeps both.
package fault
