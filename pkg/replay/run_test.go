package replay_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/pipeline/follow/followtest"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/replay"
)

// memory is a source of frames, which ends with an error, or waits for its context
// where it is endless.
type memory struct {
	frames [][]byte
	fault  map[int]event.Reason // of the frame with that index
	end    error
	waits  bool
	nature replay.Nature
	asked  event.Seq    // after which
	given  atomic.Int64 // frames
}

func (m *memory) Pieces(ctx context.Context, after event.Seq) iter.Seq2[replay.Piece, error] {
	m.asked = after
	return func(yield func(replay.Piece, error) bool) {
		for i, data := range m.frames {
			if seq, ok := frame.PeekSeq(data); ok && seq <= after {
				continue
			}
			m.given.Add(1)
			if !yield(replay.Piece{Frame: data, Fault: m.fault[i]}, nil) {
				return
			}
		}
		if m.waits {
			<-ctx.Done()
			return
		}
		if m.end != nil {
			yield(replay.Piece{}, m.end)
		}
	}
}

func (m *memory) Nature() replay.Nature { return m.nature }
func (m *memory) State() replay.State   { return replay.State{Done: -1} }
func (m *memory) Close() error          { return nil }

// list is a target that keeps seqs.
type list struct {
	after    event.Seq
	entries  bool
	known    map[event.Seq]bool // it has them already
	refuses  event.Seq          // Put fails there
	seqs     []event.Seq
	at       []time.Time
	present  int64
	flushed  int
	finished []bool
	hears    func(event.Seq) // each one that is put
}

var errFull = errors.New("the target is full")

func (l *list) After() event.Seq { return l.after }
func (l *list) Present() int64   { return l.present }

func (l *list) Put(_ context.Context, e *replay.Selected) (bool, error) {
	switch {
	case l.entries && !e.HasEntry:
		return false, nil
	case l.refuses == e.Seq && e.Seq > 0:
		return false, errFull
	case l.known[e.Seq]:
		l.present++
		return true, nil
	}
	l.seqs, l.at = append(l.seqs, e.Seq), append(l.at, time.Now())
	if l.hears != nil {
		l.hears(e.Seq)
	}
	return true, nil
}

func (l *list) Flush(context.Context) error { l.flushed++; return nil }

func (l *list) Finish(_ context.Context, complete bool) error {
	l.finished = append(l.finished, complete)
	return nil
}

// simulated is n frames and their seqs.
func simulated(t *testing.T, n int) (frames [][]byte, seqs []event.Seq) {
	t.Helper()
	made, _ := followtest.SimFrames(t, n)
	for _, f := range made {
		seq, _ := frame.PeekSeq(f.Data)
		frames, seqs = append(frames, f.Data), append(seqs, seq)
	}
	return frames, seqs
}

func at(seq event.Seq) place.Place { return place.Place{Kind: place.Seq, Seq: seq} }

func TestRunPlaysEverything(t *testing.T) {
	frames, seqs := simulated(t, 700)
	to := &list{}
	var told []replay.Progress
	s, err := replay.Run(t.Context(), &memory{frames: frames}, to, replay.Options{Progress: func(p replay.Progress) { told = append(told, p) }})
	if err != nil || !s.Complete || s.Taken != 700 || s.First != seqs[0] || s.Last != seqs[699] || !slices.Equal(to.seqs, seqs) {
		t.Errorf("%d events %s to %s, complete %v: %v", s.Taken, s.First, s.Last, s.Complete, err)
	}
	if !slices.Equal(to.finished, []bool{true}) || to.flushed == 0 {
		t.Errorf("finished %v, flushed %d times", to.finished, to.flushed)
	}
	if n := int64(0); true {
		for _, count := range s.Kinds {
			n += count
		}
		if n != 700 || s.Bytes == 0 || s.Seen.Pieces != 700 || !s.Seen.Whole || s.Seen.First != seqs[0] || s.Seen.Last != seqs[699] {
			t.Errorf("kinds %v, seen %+v", s.Kinds, s.Seen)
		}
	}
	if len(told) < 10 || told[9].Taken != 640 || told[9].Seq != seqs[639] || told[9].Done != -1 {
		t.Errorf("progress was told as %+v", told)
	}
}

func TestRunPlaysASelection(t *testing.T) {
	frames, seqs := simulated(t, 400)
	keep, err := filter.New(filter.Config{Kinds: []string{"identity", "account"}})
	if err != nil {
		t.Fatal(err)
	}
	to := &list{entries: true}
	from := &memory{frames: frames, nature: replay.Nature{Rising: true}}
	s, err := replay.Run(t.Context(), from, to, replay.Options{
		Selection: replay.Selection{From: at(seqs[100]), Until: at(seqs[299]), Filter: keep, Entries: true}})
	if err != nil || !s.Complete || s.Taken+s.Unwanted != 200 || s.Taken == 0 || int(s.Taken) != len(to.seqs) {
		t.Errorf("%d taken, %d unwanted: %v", s.Taken, s.Unwanted, err)
	}
	for kind := range s.Kinds {
		if kind != "identity" && kind != "account" {
			t.Errorf("a %s was taken", kind)
		}
	}
	// Seqs rise: nothing behind the end is waited for.
	if n := from.given.Load(); n != 300 || s.Seen.Whole {
		t.Errorf("%d frames were read, whole %v", n, s.Seen.Whole)
	}
}

func TestRunEndsAtALimit(t *testing.T) {
	frames, seqs := simulated(t, 400)
	to := &list{known: map[event.Seq]bool{seqs[3]: true, seqs[5]: true}}
	s, err := replay.Run(t.Context(), &memory{frames: frames, waits: true}, to, replay.Options{Limit: 10})
	if err != nil || !s.Complete || s.Taken != 10 || s.Repeats != 2 || len(to.seqs) != 10 || s.Last != seqs[11] {
		t.Errorf("%d taken, %d repeats, up to %s, complete %v: %v", s.Taken, s.Repeats, s.Last, s.Complete, err)
	}
}

func TestRunKeepsARate(t *testing.T) {
	frames, _ := simulated(t, 30)
	synctest.Test(t, func(t *testing.T) {
		to := &list{}
		began := time.Now()
		if _, err := replay.Run(t.Context(), &memory{frames: frames}, to, replay.Options{Rate: 10}); err != nil {
			t.Fatal(err)
		}
		for i, when := range to.at {
			if want := time.Duration(i) * 100 * time.Millisecond; when.Sub(began) != want {
				t.Errorf("event %d came after %v, want %v", i, when.Sub(began), want)
			}
		}
	})
}

func TestRunEndsAfterATime(t *testing.T) {
	frames, _ := simulated(t, 100)
	synctest.Test(t, func(t *testing.T) {
		to := &list{}
		began := time.Now()
		s, err := replay.Run(t.Context(), &memory{frames: frames}, to, replay.Options{Rate: 10, For: 3050 * time.Millisecond})
		if err != nil || !s.Complete || s.Taken != 31 || time.Since(began) != 3050*time.Millisecond {
			t.Errorf("%d events in %v, complete %v: %v", s.Taken, time.Since(began), s.Complete, err)
		}
	})
}

func TestRunGoesOnBehindTheTarget(t *testing.T) {
	frames, seqs := simulated(t, 100)
	from, to := &memory{frames: frames}, &list{after: seqs[59]}
	s, err := replay.Run(t.Context(), from, to, replay.Options{})
	if err != nil || from.asked != seqs[59] || s.First != seqs[60] || s.Taken != 40 || !slices.Equal(to.seqs, seqs[60:]) {
		t.Errorf("asked after %s: %d events from %s: %v", from.asked, s.Taken, s.First, err)
	}
}

// What cannot be read is counted by its reason and is no error. A recording of all keeps
// an event with a seq that only this version cannot use.
func TestRunPassesOverDamageInTheMiddle(t *testing.T) {
	frames, seqs := simulated(t, 20)
	frames[4] = []byte("garbage")
	to := &list{}
	s, err := replay.Run(t.Context(), &memory{frames: frames, fault: map[int]event.Reason{9: event.ReasonLimit}}, to, replay.Options{})
	if err != nil || !s.Complete || s.Taken != 18 || s.Rejected != 2 || s.Reasons[event.ReasonLimit] != 1 {
		t.Errorf("%d taken, %d rejected %v: %v", s.Taken, s.Rejected, s.Reasons, err)
	}
	if want := slices.Delete(slices.Delete(slices.Clone(seqs), 9, 10), 4, 5); !slices.Equal(to.seqs, want) {
		t.Errorf("taken: %v", to.seqs)
	}
}

// A capture that is damaged stands up to there; of any other failure the target keeps
// where to go on.
func TestRunTellsDamageFromFailure(t *testing.T) {
	frames, _ := simulated(t, 20)
	broken := errors.New("the disk is gone")
	for _, tc := range []struct {
		end    error
		stands bool
	}{{&capture.Damage{}, true}, {broken, false}} {
		to := &list{}
		s, err := replay.Run(t.Context(), &memory{frames: frames, end: tc.end}, to, replay.Options{})
		if !errors.Is(err, tc.end) || s.Complete || s.Taken != 20 || !slices.Equal(to.finished, []bool{tc.stands}) {
			t.Errorf("%v: %d taken, complete %v, finished %v", err, s.Taken, s.Complete, to.finished)
		}
	}
	to := &list{refuses: 7000000009}
	if s, err := replay.Run(t.Context(), &memory{frames: frames}, to, replay.Options{}); !errors.Is(err, errFull) || s.Complete || !slices.Equal(to.finished, []bool{false}) {
		t.Errorf("%v, complete %v, finished %v", err, s.Complete, to.finished)
	}
}

// Being stopped completes what nothing else ends, and nothing else.
func TestRunIsStopped(t *testing.T) {
	frames, seqs := simulated(t, 20)
	for _, endless := range []bool{true, false} {
		ctx, stop := context.WithCancel(t.Context())
		to := &list{hears: func(seq event.Seq) {
			if seq == seqs[19] {
				stop()
			}
		}}
		s, err := replay.Run(ctx, &memory{frames: frames, waits: true, nature: replay.Nature{Endless: endless}}, to, replay.Options{})
		stop()
		if err != nil || s.Complete != endless || s.Taken != 20 || s.Last != seqs[19] || !slices.Equal(to.finished, []bool{endless}) {
			t.Errorf("endless %v: %d taken, complete %v, finished %v: %v", endless, s.Taken, s.Complete, to.finished, err)
		}
	}
}

// A relay that is passed on to clients: more events than wait between reader and target.
func TestRunFillsALogThatIsServed(t *testing.T) {
	frames, seqs := simulated(t, 600)
	log := relayserver.NewMemoryLog(1000)
	s, err := replay.Run(t.Context(), &memory{frames: frames}, replay.NewLogTarget(log), replay.Options{})
	if err != nil || s.Taken != 600 {
		t.Fatalf("%d taken: %v", s.Taken, err)
	}
	if oldest, newest := log.Bounds(); oldest != seqs[0] || newest != seqs[599] {
		t.Errorf("the log has %s to %s", oldest, newest)
	}
	if _, _, err := log.Next(t.Context(), seqs[599]); err == nil {
		t.Error("the log has not ended")
	}
}

// One that has part of a capture already goes on behind it.
func TestCaptureIsResumed(t *testing.T) {
	frames, seqs := simulated(t, 50)
	path := t.TempDir() + "/run.fhz"
	cfg := replay.CaptureConfig{Path: path, Source: "a", Resume: true}
	for i, from := range []*memory{{frames: frames[:30], end: errFull}, {frames: frames}} {
		to, err := replay.CreateCapture(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s, err := replay.Run(t.Context(), from, to, replay.Options{})
		if i == 0 {
			position, broken := replay.CapturePosition(path)
			if !errors.Is(err, errFull) || broken != nil || position != seqs[29] {
				t.Errorf("stopped with %v at %s: %v", err, position, broken)
			}
			other := cfg
			other.Source = "b"
			if _, err := replay.CreateCapture(other); err == nil {
				t.Error("it was resumed from another source")
			}
		} else if err != nil || from.asked != seqs[29] || s.Taken != 20 {
			t.Errorf("resumed after %s: %d events: %v", from.asked, s.Taken, err)
		}
	}
	source, err := replay.OpenCapture(path, place.Place{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	to := &list{}
	if _, err := replay.Run(t.Context(), source, to, replay.Options{}); err != nil || !slices.Equal(to.seqs, seqs) {
		t.Errorf("the capture has %d events: %v", len(to.seqs), err)
	}
}
