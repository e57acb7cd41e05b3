// Package identity holds the keys with which accounts sign commits (V7). It
// resolves nothing: DID documents are given to it. It is the door to indigo's
// atproto/identity and atproto/atcrypto.
//
// Call [Open] for a file, or [Read], and then [Keys.Verify] for each signature.
package identity
