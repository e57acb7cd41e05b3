// Package coverage says in sentences what of a range of events is not stored: a stream
// was trimmed, or has not come that far; a recording begins later, or ends earlier.
//
// Of a stream, call [BeginningOf] with its bounds, then [Beginning.Lacks] for the
// beginning of the range and [LacksEnd] for its end. Of a recording, ask [Frames.Holds]
// for each frame, then [Frames.Lacks]; whoever reads one by other means fills a [Seen].
//
// A sentence is "" where nothing is lacking. It names the range as somebody wrote it,
// which is [place.Place].
package coverage
