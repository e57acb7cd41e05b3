package spill

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// One seq far ahead, in what goes to disk or past it, costs itself only: the relay
// is asked for what follows the last sound seq, segments are found and deleted by
// theirs, and the frame is told and kept.
func TestOneSeqFarAheadDoesNotMoveThePump(t *testing.T) {
	r := newRig(t, 20)
	r.cfg.SegmentBytes = 1000
	r.far = map[event.Seq]event.Seq{10: event.MaxSeq, 500: event.MaxSeq, 2000: 1_000_002_000, 2990: event.MaxSeq - 1, 5000: 1 << 40}
	var told []event.Seq
	r.cfg.Rejected = func(j *event.Reject, frame []byte) {
		if told = append(told, j.Seq); j.Reason != event.ReasonLeap || !slices.Equal(frame, made(j.Seq)) {
			t.Errorf("%v with %d bytes", j, len(frame))
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		ctx, stop := context.WithCancel(t.Context())
		r.take(ctx, func(seq event.Seq, c *event.Chunk) bool {
			if !c.Judged {
				t.Fatalf("seq %s is to be judged again", seq)
			}
			switch seq {
			case 20:
				r.send(3000)
				time.Sleep(time.Minute) // the sink hangs
				r.drop()
				time.Sleep(time.Minute)
			case 3000:
				r.source.Stored(3000)
				r.send(5100)
			case 5100:
				r.source.Stored(5100)
				stop()
				return false
			}
			return true
		})
		if files := r.files(); len(files) > 0 {
			t.Errorf("left on disk: %v", files)
		}
		r.close()
	})
	for _, at := range r.asked {
		if at.Seq > 5100 {
			t.Errorf("the relay was asked for what follows %d", at.Seq)
		}
	}
	if len(r.got) != 5100 || len(told) < len(r.far) || !slices.Contains(r.alarms, event.AlarmLeap) {
		t.Errorf("%d frames came, told of %v, alarms %v", len(r.got), told, r.alarms)
	}
}

// A false seq that comes first of all, on a start without a cursor, hides neither a
// missing file nor what its connection did not bring.
func TestFalseFirstSeqHidesNothing(t *testing.T) {
	for _, cut := range []bool{false, true} {
		r, m := onMemory(t, 20, 1)
		r.bogus = 1 << 40
		r.far = map[event.Seq]event.Seq{1: r.bogus}
		if cut {
			r.far = nil
			r.begin = []event.Seq{r.bogus}
		}
		synctest.Test(t, func(t *testing.T) {
			r.wake = make(chan struct{})
			r.open()
			ctx, stop := context.WithTimeout(t.Context(), time.Hour)
			defer stop()
			r.take(ctx, func(seq event.Seq, _ *event.Chunk) bool {
				if seq == 20 {
					r.spillUpTo(300)
					delete(m.names, m.segments()[1])
					r.send(310)
				}
				return seq < 310
			})
			r.close()
		})
		if r.at.Seq != 310 || r.told(event.AlarmSpillDamaged) == 0 {
			t.Errorf("cut %t: it came to seq %d, alarms %v", cut, r.at.Seq, r.alarms)
		}
		for _, at := range r.asked {
			if at.Seq > 310 {
				t.Errorf("cut %t: the relay was asked for what follows %d", cut, at.Seq)
			}
		}
	}
}

// A leap that is true goes by, once other connections show it too.
func TestTrueLeapGoesThroughTheSpill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flow{Source: &Source{cfg: Config{}.withDefaults()}}
		f.judge.line.Rewind(event.AfterSeq(1000))
		for conn := uint64(1); conn <= 3; conn++ {
			c := &event.Chunk{Conn: conn, Arrived: time.Now()}
			for seq := event.Seq(9_000_000_000); seq < 9_000_000_120; seq++ {
				c.Frames = append(c.Frames, event.Frame{Data: made(seq)})
			}
			f.keepSound(c)
			if n := len(c.Frames); conn < 3 && n > 0 || conn == 3 && n != 120 {
				t.Errorf("connection %d: %d frames pass", conn, n)
			}
		}
		f.judge.line.Rewind(event.AfterSeq(1000)) // the receiver asks again, since it doubts for itself
		c := &event.Chunk{Conn: 4, Arrived: time.Now(), Frames: []event.Frame{{Data: made(9_000_000_000)}}}
		if f.keepSound(c); len(c.Frames) != 1 {
			t.Error("what was confirmed is doubted again")
		}
	})
}
