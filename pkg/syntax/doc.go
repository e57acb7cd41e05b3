// Package syntax reads the identifiers of atproto: DIDs, handles, NSIDs,
// record keys, TIDs, AT-URIs and CIDs.
//
// Call [ValidDID], [ValidHandle], [ValidNSID], [ValidRecordKey] or [ValidTID] to judge
// text, [ParseATURI] to split an address, and [ParseCID], [CIDText] and [SumCID] for
// CIDs.
//
// It answers whether bytes have the right form and converts CIDs between their
// binary and text forms. It resolves nothing, does no I/O and keeps no state;
// every function is safe for concurrent use. Predicates take strings or byte
// slices and do not allocate.
//
// Where consumers are stricter or looser than the specification, the function
// name says whose rule it is: ValidDID is the contract's, [StrictDID] is atproto's.
package syntax
