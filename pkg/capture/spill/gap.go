package spill

import (
	"bytes"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// unsure is the frame behind an unusual gap: it is passed on once another one follows,
// or another connection has shown it as well.
type unsure struct {
	frame event.Frame
	seq   event.Seq // 0 when there is none
	from  event.Seq // the seq before the gap
	conn  uint64
}

// mostUnsure is how large a frame may be that is kept back, in bytes. A larger one is
// passed on: should it be false, what lies before it is asked for later.
const mostUnsure = 64 << 10

// holdUnsure keeps a frame back. f.mu is held.
func (f *flow) holdUnsure(chunk *event.Chunk, fr event.Frame, from, seq event.Seq) {
	f.judge.unsure = unsure{frame: event.Frame{Data: bytes.Clone(fr.Data)}, seq: seq, from: from, conn: chunk.Conn}
	conn, hangup := chunk.Conn, chunk.Hangup
	time.AfterFunc(event.LeapWaitWithin(f.cfg.IdleTimeout), func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.judge.unsure.seq == seq && f.judge.unsure.conn == conn {
			f.askUnsure()
			if hangup != nil {
				hangup(event.ErrLeap)
			}
		}
	})
}

// askUnsure has another connection show the frame that is kept back. f.mu is held.
func (f *flow) askUnsure() {
	u := f.judge.unsure
	if f.judge.unsure = (unsure{}); u.seq == 0 {
		return
	}
	f.judge.leap.add(u.seq, u.frame.Data)
	f.judge.line.Ask(u.from, u.from, u.seq, u.conn)
}

// goBack goes back to the beginning of a gap from inside which an event came: the relay
// is asked again from there, once the frames before this event are kept. False where that
// was done already and brought nothing new. f.mu is held.
func (f *flow) goBack(seq event.Seq, conn uint64, step *event.Step) bool {
	if !step.Contradicts || step.Between[0] == 0 || !f.judge.line.MayReturn() {
		return false
	}
	from, to := step.Between[0], step.Between[1]
	f.judge.line.Return(from, seq, conn)
	if u := f.judge.unsure; u.seq > 0 {
		f.judge.leap.add(u.seq, u.frame.Data)
	}
	f.judge.unsure, f.judge.back = unsure{}, from
	f.cfg.Logger.Warn(fmt.Sprintf("Going back to the beginning of a gap: seq %s came after %s, and %s, which followed, lies between: one of them is false", to, from, seq), "seq", from.String())
	return true
}

// fallBack makes the pump read from where goBack said. f.mu is held.
func (f *flow) fallBack() {
	if f.judge.back == 0 {
		return
	}
	f.high, f.pumpAt = f.judge.back, event.AfterSeq(f.judge.back)
	f.disk.fall(f.judge.back)
	f.judge.back = 0
	f.epoch++
	f.hangUpPump(event.ErrGap)
}

// fall ends the segment that is being written: what comes next is behind a seq again,
// below the last one on disk.
func (d *disk) fall(at event.Seq) {
	if d.roll(); len(d.segments) > 0 {
		d.fell = at
	}
}
