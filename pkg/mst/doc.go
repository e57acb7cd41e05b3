// Package mst builds, proves, checks and inverts Merkle search trees: the
// index of a repository, from record path to record CID. It is the door to
// indigo's atproto/repo/mst, whose trees it wraps.
//
// To check what a relay sent, call [Verify]. To make commits, call [New], then
// [Tree.Insert], [Tree.Remove] and [Tree.Proof].
//
// A tree may be partial: some of its nodes are known by CID only. A commit
// carries such a tree, namely the nodes it changed and those needed to undo its
// ops. [Load] reads one from foreign blocks and checks it (V6) before indigo sees
// any of it; Verify checks a commit's ops against it and undoes them (V4, V5).
//
// Tree is also what makes commits: Insert and Remove, then Proof for the
// blocks to send.
//
// Paths are keys as they are, "collection/rkey", 1 to 1024 bytes; CIDs are
// binary. Nothing here is safe for concurrent use.
package mst
