package endtest

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// seedsOf reads FHCTL_SEEDS, how many seeds to run, and FHCTL_SEED, the one to
// repeat or, with both, the first.
func seedsOf(t *testing.T, usual uint64) (first, n uint64) {
	t.Helper()
	number := func(name string) (uint64, bool) {
		text := os.Getenv(name)
		if text == "" {
			return 0, false
		}
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v, true
	}
	n, many := number("FHCTL_SEEDS")
	first, one := number("FHCTL_SEED")
	switch {
	case !many && !one:
		return 1, usual
	case !many:
		return first, 1
	}
	return max(first, 1), n
}

// usualSeeds take some ten seconds; FHCTL_SEEDS=10000 some minutes.
const usualSeeds = 400

// TestSimulation runs seeds, each a world of its own, and wants every stream
// exact (G1, G2, G3), every clean stop quick (G6), every kind of fault seen and
// every fault told (G7).
func TestSimulation(t *testing.T) {
	first, n := seedsOf(t, usualSeeds)
	if testing.Short() {
		n = min(n, 100)
	}
	corpus := newCorpus(t)
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var mu sync.Mutex
	total, next, ran := map[string]int{}, first, 0
	t.Run("seeds", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for {
					mu.Lock()
					seed := next
					next++
					mu.Unlock()
					if seed >= first+n || t.Failed() {
						return
					}
					counts := simulate(t, seed, corpus)
					mu.Lock()
					ran++
					for name, n := range counts.n {
						total[name] += n
					}
					mu.Unlock()
				}
			})
		}
	})
	report(t, ran, total)
	if n >= usualSeeds && !t.Failed() {
		everyFaultTold(t, total)
	}
}

// simulate plays one seed and fails the test when anything was not as it must
// be, or when nothing went wrong in it.
func simulate(t *testing.T, seed uint64, c *corpus) *counts {
	t.Helper()
	var w *world
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, seed, c)
		w.play()
	})
	wrong := w.verdict()
	if wrong == "" && w.counts.faults() == 0 {
		wrong = "no fault struck: nothing was proved"
	}
	if wrong != "" {
		t.Fatalf("what happened last:\n%s\nseed %d: %s\nagain: FHCTL_SEED=%d go test ./pkg/endtest -run '^TestSimulation$' -v",
			strings.Join(w.counts.told, "\n"), seed, wrong, seed)
	}
	return w.counts
}

// everyFaultTold wants each kind of fault to have struck, and the program to
// have said so.
func everyFaultTold(t *testing.T, total map[string]int) {
	t.Helper()
	for _, kind := range troubles() {
		if total["fault: "+kind.counted] == 0 {
			t.Errorf("%s never struck, though tried %d times", kind.name, total["tried: "+kind.name])
		}
		told := len(kind.shows) == 0
		for _, name := range kind.shows {
			told = told || total[name] > 0
		}
		if !told {
			t.Errorf("%s struck %d times, but the program never told of %v", kind.name, total["fault: "+kind.counted], kind.shows)
		}
	}
}

func report(t *testing.T, seeds int, total map[string]int) {
	faults, entries := 0, total["entries"]
	for name, n := range total {
		if strings.HasPrefix(name, "fault: ") {
			faults += n
			t.Logf("%s: %d", name, n)
		}
	}
	t.Logf("simulation: %d seeds, %d entries checked, %d faults struck", seeds, entries, faults)
}
