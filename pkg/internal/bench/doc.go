// Package bench measures fhctl against other ways to do the same, on the same
// frames in one run, because only ratios survive a change of machine. It is a
// module of its own, so that what it is measured against is no dependency of
// the program; "go test ./..." of the repository does not run it:
//
//	cd pkg/internal/bench && go test -bench . -benchtime 20x
//
// docs/benchmarks.md explains the figures.
package bench
