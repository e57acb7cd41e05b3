package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

const (
	// doubtedKept and doubtedBytes bound what is kept of events in doubt: their
	// frames are needed only when they are rejected.
	doubtedKept  = 16
	doubtedBytes = 1 << 20
	// leapPause is how long no leap must have been rejected before one is an
	// alarm again. Each is counted.
	leapPause = time.Minute
)

// doubts are the events that came far above the last one and are not decided.
type doubts struct {
	after event.Seq // the last sound seq
	seqs  []event.Seq
	kept  [][]byte // the frames of the first seqs; nil where there was no room
	bytes int
	more  int64  // events that are not listed
	conn  uint64 // the connection that showed them last
	told  bool   // that one of them cannot be true
}

// doubt keeps an event that is far ahead out of the stream, and has it confirmed
// by another connection when nothing disproves it here.
func (s *sequencer) doubt(m *mark, step event.Step) {
	d := &s.doubts
	if first := len(d.seqs) == 0; first || d.conn != s.link.judge.Conn() {
		s.watch.Reset(event.LeapWaitWithin(s.cfg.IdleTimeout))
		d.after, d.conn = s.tracker.Last(), s.link.judge.Conn()
		if first {
			s.cfg.Logger.Warn("A seq is far above what rate and time allow; it is not stored unless other connections confirm it",
				"seq", m.seq.String(), "after", d.after.String())
		}
	}
	d.add(m.seq, m.frame)
	if step.Ask {
		s.link.close(event.ErrLeap)
	}
}

func (d *doubts) add(seq event.Seq, frame []byte) {
	for _, known := range d.seqs {
		if known == seq {
			return
		}
	}
	if len(d.seqs) == doubtedKept {
		d.more++
		return
	}
	if d.bytes+len(frame) > doubtedBytes {
		frame = nil
	}
	frame = bytes.Clone(frame) // it may be memory of its chunk
	d.bytes += len(frame)
	d.seqs, d.kept = append(d.seqs, seq), append(d.kept, frame)
}

// settle acts on what a fresh event says about a leap before it.
func (s *sequencer) settle(seq event.Seq, step event.Step) {
	d := &s.doubts
	switch {
	case len(d.seqs) == 0:
		return
	case step.Believed > 0:
		level := slog.LevelDebug // a gap
		if event.FarAhead(d.after, seq) {
			level = slog.LevelWarn
		}
		s.cfg.Logger.Log(context.Background(), level, "The numbers leapt, and other connections confirm it", "from", d.after.String(), "to", seq.String())
		d.more = 0
		s.rejectLeaps(func(doubted event.Seq) bool { return doubted > step.Believed })
	case step.Refuted > 0:
		s.rejectLeaps(func(event.Seq) bool { return true })
		s.counts.Rejected[event.ReasonLeap] += d.more
		s.leapAlarm(d.seqs[0], fmt.Sprintf("seq %s came after %s, and %s which followed disproves it", d.seqs[0], d.after, seq))
	default: // it lies in front of what was asked about
		return
	}
	*d = doubts{seqs: d.seqs[:0], kept: d.kept[:0]}
}

func (s *sequencer) rejectLeaps(which func(event.Seq) bool) {
	d := &s.doubts
	for i, seq := range d.seqs {
		if which(seq) {
			s.rejectLeap(seq, d.kept[i], fmt.Sprintf("above %s, the last sound seq, and not confirmed", d.after))
		}
	}
	clear(d.kept)
}

func (s *sequencer) rejectLeap(seq event.Seq, frame []byte, detail string) {
	s.counts.Rejected[event.ReasonLeap]++
	s.cfg.Observer.Rejected(&event.Reject{Reason: event.ReasonLeap, Seq: seq, Detail: detail}, frame)
}

// leapAlarm names the last sound seq. A relay that leaps again and again is one
// alarm.
func (s *sequencer) leapAlarm(seq event.Seq, detail string) {
	now := time.Now()
	if quiet := s.leapt.IsZero() || now.Sub(s.leapt) > leapPause; quiet {
		s.cfg.Observer.Alarm(event.AlarmLeap, s.doubts.after, detail+": it is not stored, and reading goes on behind the last sound seq")
	}
	s.Pipeline.leapt = now
}

// watched fires some time after a connection began or leapt.
func (s *sequencer) watched() {
	s.judgeSeam(false)
	if s.opening() && s.first.Asks() && !s.link.hungUp {
		s.link.close(event.ErrLeap)
		return
	}
	d := &s.doubts
	first := s.tracker.Doubted()
	switch {
	case first == 0 || s.link.hungUp || d.conn != s.link.judge.Conn():
	case s.tracker.Waited(s.link.judge.Conn()):
		s.link.close(event.ErrLeap)
	case !d.told:
		d.told = true
		s.leapAlarm(first, fmt.Sprintf("seq %s came after %s, where no numbering has got or over an event of the relay's own, and nothing followed that confirms it", first, d.after))
	}
}

// contradicted reports that a leap which was believed, or a gap, was none: what lies
// inside it cannot be stored, for the cursor is behind it.
func (s *sequencer) contradicted(between [2]event.Seq) {
	first, from, to := s.link.judge.Lowest(), between[0], between[1]
	s.hold(event.AlarmReset, first, fmt.Sprintf(
		"the relay sends events from seq %s, inside the leap from %s to %s: that was none, or the numbering restarted; %s is the last seq before it", first, from, to, from))
}
