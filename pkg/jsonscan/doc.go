// Package jsonscan reads JSON (RFC 8259) without building values of it: that of stream
// entries, whoever wrote them. What encoding/json takes it takes, and nothing else, in
// a fraction of the time and the memory.
//
// Begin with [Members] or [Walk], which tell what a container holds as it stands. A
// [Scanner] passes over a text once, in the order a caller asks for. A [Tape] keeps
// where every value is, for whoever walks over a text more than once. None checks
// that the text is UTF-8 but Tape; names that occur twice are told twice.
package jsonscan
