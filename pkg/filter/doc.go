// Package filter chooses which events reach the sink. It is off by default:
// consumers route unknown lexicons themselves (contract §3), so a filter is an
// operator's decision and part of what a cursor means. Its fingerprint is
// stored beside the cursor, so that two writers with different filters are
// found out instead of leaving holes.
//
// Call [New] once and [Filter.Keep] for each event. Keep changes the event: under a
// filter of collections it removes the ops that are not wanted. [Filter.Mask] changes
// nothing.
package filter
