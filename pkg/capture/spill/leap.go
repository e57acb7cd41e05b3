package spill

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// The bounds of what is kept of frames in doubt.
const (
	leapKept  = 16
	leapBytes = 1 << 20
	leapPause = time.Minute // between two alarms
)

// leap is what came far above the last seq and is not decided. Nothing of it may
// reach memory or disk: the pump asks the relay for what follows its last seq, and
// segments are found and deleted by theirs.
type leap struct {
	seqs  []event.Seq
	kept  [][]byte
	bytes int
	conn  uint64 // the connection that showed it last
	told  time.Time
}

// keepSound takes frames out of a chunk whose seq is far ahead and not confirmed,
// and has them confirmed by other connections. f.mu is held.
func (f *flow) keepSound(chunk *event.Chunk) {
	frames, sound := chunk.Frames, chunk.Frames[:0]
	if f.judge.unsure.seq > 0 {
		frames = slices.Clone(frames) // one more may pass than came
	}
	for _, fr := range frames {
		seq, ok := frame.PeekSeq(fr.Data)
		if !ok || fr.Fault != event.ReasonNone {
			sound = append(sound, fr)
			continue
		}
		last := f.judge.line.Last()
		if f.judge.line.Forgotten(seq, chunk.Conn) {
			f.judge.line.Trust()
			f.epoch++ // what this connection still brings is of no use
			f.hangUpPump(event.ErrForgotten)
			break
		}
		step := f.judge.line.Observe(seq, chunk.Conn, chunk.Arrived)
		if step.Verdict == event.Repeat {
			if first, _, below := f.judge.opening.Below(seq); below {
				f.takeBack(first)
				last = 0
				step = f.judge.line.Observe(seq, chunk.Conn, chunk.Arrived)
			}
		}
		if step.Verdict == event.Repeat && f.goBack(seq, chunk.Conn, &step) {
			break
		}
		if step.Verdict == event.Repeat && f.judge.line.Repeated(seq) {
			continue // it was asked for to confirm a gap, or would pass the frame that is kept back
		}
		if step.Verdict == event.Fresh {
			f.judge.opening.Fresh(last == 0, seq) // the receiver tells of one that was false
			if u := f.judge.unsure; u.seq > 0 {
				sound = append(sound, u.frame)
				f.judge.unsure = unsure{}
			}
		}
		if step.Verdict == event.Leap {
			f.doubt(chunk, seq, fr.Data, step.Ask)
			continue
		}
		f.settle(seq, step)
		if step.Unsure && len(fr.Data) <= mostUnsure {
			f.holdUnsure(chunk, fr, last, seq)
			continue
		}
		sound = append(sound, fr)
	}
	if len(sound) < len(chunk.Frames) {
		clear(chunk.Frames[len(sound):])
	}
	chunk.Frames = sound
}

// takeBack forgets the first event of a start without a cursor, which lies far above
// one that follows: the receiver, who gets both, judges which was wrong.
func (f *flow) takeBack(first event.Seq) {
	f.judge.line.Rewind(f.judge.start)
	f.high = 0
	f.judge.bogus = first
	if f.receiver.given == first {
		f.receiver.given = 0
	}
}

// reopen goes back to the beginning where a connection ended with the first event of a
// start from the oldest one: the next connection has it as well, if it is true.
func (f *flow) reopen() {
	if f.judge.opening.Asks() {
		f.judge.opening.Again()
		f.high, f.pumpAt = 0, f.judge.start
		f.judge.line.Rewind(f.judge.start)
	}
}

func (f *flow) doubt(chunk *event.Chunk, seq event.Seq, data []byte, ask bool) {
	l := &f.judge.leap
	if len(l.seqs) == 0 || l.conn != chunk.Conn {
		l.conn = chunk.Conn
		conn, hangup := chunk.Conn, chunk.Hangup
		time.AfterFunc(event.LeapWaitWithin(f.cfg.IdleTimeout), func() { f.waited(conn, hangup) })
	}
	l.add(seq, data)
	if ask {
		f.hangUpPump(event.ErrLeap)
	}
}

func (l *leap) add(seq event.Seq, data []byte) {
	for _, known := range l.seqs {
		if known == seq {
			return
		}
	}
	if len(l.seqs) == leapKept {
		return
	}
	var copied []byte
	if l.bytes+len(data) <= leapBytes {
		copied = bytes.Clone(data)
		l.bytes += len(data)
	}
	l.seqs, l.kept = append(l.seqs, seq), append(l.kept, copied)
}

// waited hangs up a connection that showed nothing but a leap for a while.
func (f *flow) waited(conn uint64, hangup func(error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.judge.line.Waited(conn) && hangup != nil {
		hangup(event.ErrLeap)
	}
}

// settle acts on what a sound event says about a leap before it.
func (f *flow) settle(seq event.Seq, step event.Step) {
	l := &f.judge.leap
	switch {
	case len(l.seqs) == 0 || step.Verdict != event.Fresh:
		return
	case step.Believed > 0:
		f.cfg.Logger.Warn("The numbers leapt, and other connections confirm it", "from", f.high.String(), "to", seq.String())
	case step.Refuted > 0:
		for i, far := range l.seqs {
			f.cfg.Rejected(&event.Reject{Reason: event.ReasonLeap, Seq: far,
				Detail: fmt.Sprintf("above %s, the last sound seq, and not confirmed", f.high)}, l.kept[i])
		}
		if now := time.Now(); now.Sub(l.told) > leapPause {
			l.told = now
			f.cfg.Alarm(event.AlarmLeap, f.high, fmt.Sprintf(
				"seq %s came after %s, and %s which followed disproves it: it is not stored, and reading goes on behind the last sound seq", l.seqs[0], f.high, seq))
		}
	}
	*l = leap{told: l.told}
}
