// Package follow judges what a relay sends at or below the last event that was taken:
// whether it repeats, has lost its place, or counts anew (Q2, Q3, Q6).
//
// Begin with [Judge]. Who follows a relay by itself, and not through the pipeline, has
// [Follower], which also has leaps confirmed.
package follow
