// Package followtest tries what follows a relay with relays in memory: [Relay] lies about
// numbers, [CountsAnew] lists relays whose numbers say little by themselves, [Playing]
// plays frames, and [Scripted] whatever a test says.
package followtest
