// Package floor knows how far the groups of a stream have come, so that a writer whose
// stream or cursor vanishes knows from where to read the relay again.
//
// [Stream.Read] asks the groups; a writer keeps the answer as its [Floor], writes it into
// the side key with each batch ([Floor.Text]) and takes it from there ([Floor.Learn]).
// [Floor.Removed] and [Floor.InsideRemoved] find entries that something else took out of
// the stream before every group had read them.
package floor
