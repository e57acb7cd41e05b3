// Package blocks opens the CARv1 bytes of a commit and checks block hashes. It
// is the only door to go-car.
//
// Call [NewFinder] once and then, for each commit, [Finder.Reset], [Finder.Want] for
// each CID, [Finder.Find] and [Finder.Block]. [Read] keeps everything, [Walk] steps
// through the sections, and [Write] makes a CAR. What Finder and Walker give points into
// the CAR they were given; what Read gives is its own.
//
// [Finder] is the hot path: one pass over the sections, no allocation, and only
// the wanted blocks are hashed (B3). Read goes through go-car and keeps
// everything, for verification and tests. Write makes CARs.
//
// All three refuse what B4 lists: zero-length headers and sections, lengths
// past the end, truncated and over-long varints, bad CIDs, CARv2, versions other
// than 1, and missing or empty roots. No declared length is trusted. Blocks may
// come in any order (B2), more than once, or unrelated (B3); CIDs of other makes
// than atproto's are passed over (D5).
package blocks
