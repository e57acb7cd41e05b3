// Package output is what people see on a terminal: tables, one live status line, and
// events as aligned lines, as JSON lines or through a template.
//
// For events, call [AppendJSON], [Columns.Append] or [Template.Append]; for reports,
// declare a [Table]; for progress, call [NewLine].
//
// Everything a relay or a record says is untrusted. Text that reaches a terminal
// goes through Escape of pkg/text; JSON does not, since it must stay exact.
package output
