// Package observe holds observers of a pipeline: [Observers] passes everything on to
// several, [Silent] is embedded by those that care about one method only, and [NewLog]
// makes the one that writes the log lines of an operator.
package observe
