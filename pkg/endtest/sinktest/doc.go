// Package sinktest is a suite for sinks of the pipeline: a new one is handed to [Run],
// which asks of it what the pipeline relies on. It needs a [Store] to open sinks on, as
// processes do that start one after the other, and to read what they stored.
//
// [Memory] is the smallest store that passes, and shows what a sink has to do.
package sinktest
