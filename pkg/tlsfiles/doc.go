// Package tlsfiles makes TLS settings from PEM files that are renewed while the
// program runs. The files are read again for each handshake, so that a renewed
// certificate or authority is used by the next connection. What is half written,
// unreadable or does not fit together is reported once, and what was read before
// goes on being used.
//
// Call [New] once, and [Source.Config] for each connection. The settings it returns
// belong to the caller.
package tlsfiles
