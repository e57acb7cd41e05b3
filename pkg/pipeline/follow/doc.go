// Package follow reads a relay from event to event for whoever does not store through the
// pipeline: begin with [Events]. It connects again where a connection ends, drops repeats,
// has numbers that cannot be true confirmed by other connections before it yields them,
// and notices a relay that counts anew (Q2, Q3, Q6).
//
// [Judge] is the part of it that the pipeline shares: what the events at or below the last
// one say of a connection.
package follow
