// Package followtest tries what follows a relay with relays whose numbers say little by
// themselves: [CountsAnew] lists them, [PlayChunk] plays one.
package followtest
