// Package text is how fhctl writes for people: numbers ([Thousands], [Counted],
// [Bytes]), times ([Span], [Lasting], [Time]), and text that somebody else wrote,
// made safe ([Escape]) and short ([Clip], [Shorten]). Start with [Escape]: what a
// relay, a record or a server says is untrusted, and goes through it before it reaches
// a terminal.
//
// The same thing reads the same wherever it is printed, because it is written here.
// What depends on a terminal's width is in pkg/output. All functions are pure.
package text
