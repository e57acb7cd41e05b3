package spill

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// A false seq a little ahead costs itself only as well: what is asked of the relay, and
// what is on disk, follows the true ones.
func TestSmallFalseSeqDoesNotMoveThePump(t *testing.T) {
	r := newRig(t, 20)
	r.cfg.SegmentBytes = 1000
	r.far = map[event.Seq]event.Seq{10: 13, 500: 502, 2000: 2900, 2990: 3500, 4000: 4999}
	var told []event.Seq
	r.cfg.Rejected = func(j *event.Reject, frame []byte) {
		if told = append(told, j.Seq); j.Reason != event.ReasonLeap || !slices.Equal(frame, made(j.Seq)) {
			t.Errorf("%v with %d bytes", j, len(frame))
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		r.take(ctx, func(seq event.Seq, c *event.Chunk) bool {
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
				return false
			}
			return true
		})
		r.close()
	})
	if len(r.got) != 5100 || !slices.Contains(r.alarms, event.AlarmLeap) {
		t.Errorf("%d frames came, alarms %v", len(r.got), r.alarms)
	}
	for _, far := range r.far {
		if !slices.Contains(told, far) {
			t.Errorf("seq %d was not told of, of %v", far, told)
		}
	}
}

func seqsOf(c *event.Chunk) (seqs []event.Seq) {
	for _, f := range c.Frames {
		seq, _ := frame.PeekSeq(f.Data)
		seqs = append(seqs, seq)
	}
	return seqs
}

// Frames that come behind false ones, which two frames seemed to confirm, follow them on
// disk, and the relay is asked for the rest from where the true ones end.
func TestDiskFollowsAFalseGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := onMemory(t, 20, 1)
		r.wake = make(chan struct{})
		r.open()
		defer r.close()
		f := &flow{Source: r.source}
		f.judge.line.Rewind(event.AfterSeq(1000))
		hung := 0
		bring := func(conn uint64, seqs ...event.Seq) (kept []event.Seq) {
			c := &event.Chunk{Conn: conn, Arrived: time.Now(), Hangup: func(error) { hung++ }}
			for _, seq := range seqs {
				c.Frames = append(c.Frames, event.Frame{Data: made(seq)})
			}
			f.hangup = c.Hangup
			prev := f.high
			if f.advance(c); len(c.Frames) > 0 {
				if err := f.disk.append(c.Frames, prev, 1<<20); err != nil {
					t.Fatal(err)
				}
				kept = append(kept, seqsOf(c)...)
			}
			f.fallBack()
			return kept
		}
		if got := bring(1, 1001, 1900, 1901, 1002, 1003); !slices.Equal(got, []event.Seq{1001, 1900, 1901}) || hung != 1 {
			t.Errorf("kept %v, hung up %d times", got, hung)
		}
		if f.pumpAt != event.AfterSeq(1001) || f.disk.tail() != 1001 {
			t.Errorf("the relay is asked from %s, the disk ends at %s", f.pumpAt, f.disk.tail())
		}
		bring(2, 1002, 1003)
		if f.pumpAt != event.AfterSeq(1003) || f.disk.tail() != 1003 {
			t.Errorf("the relay is asked from %s, the disk ends at %s", f.pumpAt, f.disk.tail())
		}
	})
}

// A frame that comes again while it is kept back is not passed on for that, and one that
// two connections show before they end is not either.
func TestKeptBackFrameIsNotPassedOnEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := onMemory(t, 20, 1)
		r.wake = make(chan struct{})
		r.open()
		defer r.close()
		f := &flow{Source: r.source}
		f.judge.line.Rewind(event.AfterSeq(1000))
		bring := func(conn uint64, seqs ...event.Seq) []event.Seq {
			c := &event.Chunk{Conn: conn, Arrived: time.Now()}
			for _, seq := range seqs {
				c.Frames = append(c.Frames, event.Frame{Data: made(seq)})
			}
			f.advance(c)
			f.fallBack()
			return seqsOf(c)
		}
		if got := bring(1, 1001, 1900, event.MaxSeq, 1900); !slices.Equal(got, []event.Seq{1001}) {
			t.Errorf("passed on %v", got)
		}
		f.askUnsure() // the connection ended
		if got := bring(2, 1900); len(got) > 0 {
			t.Errorf("passed on %v, which two connections show", got)
		}
		f.askUnsure()
		if got := bring(3, 1002, 1003); !slices.Equal(got, []event.Seq{1002, 1003}) {
			t.Errorf("passed on %v", got)
		}
	})
}

// Frames behind a gap that follow each other right before a cut confirm nothing: the
// next connection is asked from in front of the gap, and what it repeats is dropped.
func TestRunBehindAGapIsAskedForAgain(t *testing.T) {
	for _, lies := range []bool{false, true} {
		r := newRig(t, 20)
		r.begin = append(r.begin, 1, 2, 3, 500, 501)
		if !lies {
			r.hole = [2]event.Seq{4, 499}
		}
		synctest.Test(t, func(t *testing.T) {
			r.wake = make(chan struct{})
			r.at = event.AfterSeq(0)
			r.open()
			r.send(1000)
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			var came []event.Seq
			for c, err := range r.source.Frames(ctx, r.resume) {
				if err != nil {
					t.Fatal(err)
				}
				came = append(came, seqsOf(c)...)
				r.at = event.AfterSeq(max(r.at.Seq, came[len(came)-1]))
				c.Release()
				if slices.Contains(came, 1000) {
					break
				}
			}
			r.close()
			if lies != slices.Contains(came, 4) || !slices.Contains(came, 502) {
				t.Errorf("false run %t: %d frames came, and %v", lies, len(came), came[:min(20, len(came))])
			}
			if n := len(came); !lies && n != 504 {
				t.Errorf("%d frames came, %v", n, came[:20])
			}
			if asked := r.asked[1]; asked != event.AfterSeq(3) {
				t.Errorf("the relay was asked from %v", r.asked)
			}
		})
	}
}
