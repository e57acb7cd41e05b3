package endtest

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fhctl/fhctl/pkg/capture/spill"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
)

// openSpill takes the first spill directory that no living process has: what one
// that died left there is taken up.
func (w *world) openSpill(source spill.Upstream) (stage *spill.Source, err error) {
	for n := range 8 {
		stage, err = spill.Open(spill.Config{
			Source: source, Dir: filepath.Join(w.spill, fmt.Sprint(n)), Owner: spill.Owner{Relay: "relay.example", Stream: "s", Cursor: cursorKey},
			MaxBytes: 64 << 10, Patience: 100 * time.Millisecond, SegmentBytes: 2 << 10, Memory: 256, Alarm: w.counts.Alarm, Logger: w.counts.logger(),
		})
		if fault.ClassOf(err) != fault.Conflict {
			break
		}
	}
	return stage, err
}

// spilling tells the stage what is stored.
type spilling struct {
	event.Observer
	stage *spill.Source
}

func (o spilling) Stored(b *event.Batch, r event.Receipt) {
	o.Observer.Stored(b, r)
	o.stage.Stored(b.Upto)
}

// spillTroubles damage files of the spill directories while they are used.
func spillTroubles() []trouble {
	on := func(strike func(w *world, path string, size int64) error) func(*world) {
		return func(w *world) {
			if w.spill == "" {
				return
			}
			w.store.change(func() { w.store.stalled = time.Now().Add(3 * time.Second) })
			var files []string
			for n := 0; n < 30 && len(files) == 0; n++ {
				time.Sleep(100 * time.Millisecond)
				files, _ = filepath.Glob(filepath.Join(w.spill, "*", "0*"))
			}
			if len(files) == 0 {
				return
			}
			path := files[w.rng.IntN(len(files))]
			info, err := os.Stat(path)
			if err == nil && info.Size() > 0 && strike(w, path, info.Size()) == nil {
				w.counts.struck(w.striking)
			}
		}
	}
	shows := []string{"alarm spill_damaged"}
	return []trouble{
		{name: "spill bit flipped", shows: shows, strike: on(func(w *world, path string, size int64) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[w.rng.IntN(len(data))] ^= 1 << w.rng.IntN(8)
			return os.WriteFile(path, data, 0o600)
		})},
		{name: "spill file cut", shows: shows, strike: on(func(w *world, path string, size int64) error {
			return os.Truncate(path, w.rng.Int64N(size))
		})},
		{name: "spill file gone", shows: shows, strike: on(func(w *world, path string, _ int64) error { return os.Remove(path) })},
	}
}
