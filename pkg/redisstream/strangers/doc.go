// Package strangers looks for what writers of other kinds did to a stream and its cursor:
// a Python bridge that ran before or runs beside us, or somebody with redis-cli.
//
// A writer makes a [Watch] by [New]. It calls [Watch.Start] when it meets a sign of others,
// then [Watch.Find] and [Watch.Judge] before each exchange, and stores of its batches
// what [Watch.Of] says has to be stored: not what is in the stream already, and nothing
// that would come behind a later event of the same repository. A [Teller] tells people
// of it, and how often is bounded.
//
// Nothing here changes anything in Redis. What is known can be read again from the stream
// and the side key ([Watch.Note]), so a process that dies midway is followed exactly.
package strangers
