// Package template runs templates in the language of text/template on JSON
// values. It takes that package's parser but not its interpreter, which calls
// methods by name: that alone makes the linker keep every exported method of
// everything in the program, a third of its size, and JSON has no methods to
// call.
//
// Call [Parse] once and [Template.Append] for each value. A [JSON] is read where the
// template looks, and not decoded as a whole. Templates are safe for concurrent use.
//
// Numbers of JSON are numbers here: they count, compare and print as such.
package template
