package relay

import (
	"errors"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

const (
	// silenceLimit is how long a relay may send no byte at all, not even the
	// answer to a ping, however long the idle timeout is: longer than two
	// intervals of pings, so that only a connection that is gone reaches it.
	silenceLimit = 90 * time.Second
	// chunkTime is what the receiver may take for a chunk without the relay
	// being given that time back: a flood of messages that are no events must
	// not gain time by being handled.
	chunkTime = 50 * time.Millisecond
	// partTime is how long whole frames wait for the message behind them, of
	// which only a part has come.
	partTime = 20 * time.Millisecond
)

var (
	errSilent = errors.New("nothing arrived within the idle timeout, not even the answer to a ping")
	errMute   = errors.New("no new event arrived within the idle timeout, though other messages or parts of messages did")
)

// liveness decides when a relay has shown no life for too long (C6). Life is a
// whole event whose seq is new. Pings, pongs, notices, messages of unknown
// types, repeats and parts of messages are none: a relay that is stuck goes on
// sending them. Time that the receiver took is not the relay's.
type liveness struct {
	idle, silence time.Duration // 0 is off
	event         time.Time     // when the last new event was handed over
	bytes         time.Time     // when the last bytes had come
	seen          newest
}

func newLiveness(idle, pingEvery time.Duration, from event.Position) liveness {
	now := time.Now()
	l := liveness{idle: idle, event: now, bytes: now}
	if idle > 0 {
		l.silence = min(idle, max(silenceLimit, 3*pingEvery))
	}
	if from.Start == event.After {
		l.seen = newest{from.Seq, from.Seq}
	}
	return l
}

// received renews the time when one of the frames is a new event. It looks from
// the last one back, so that a chunk of events costs one look.
func (l *liveness) received(frames []event.Frame) {
	for i := len(frames) - 1; i >= 0 && l.idle > 0; i-- {
		if frames[i].Fault != event.ReasonNone {
			continue
		}
		if seq, ok := frame.PeekEvent(frames[i].Data); ok && l.seen.rises(seq) {
			l.event = time.Now()
			return
		}
	}
}

// paused gives back the time that the receiver took.
func (l *liveness) paused(took time.Duration) {
	l.event = l.event.Add(max(0, took-chunkTime))
	l.bytes = l.bytes.Add(took)
}

// expired is why the connection is given up at now; nil while it is not.
func (l *liveness) expired(now time.Time) error {
	switch {
	case l.idle <= 0:
		return nil
	case now.Sub(l.bytes) >= l.silence:
		return errSilent
	case now.Sub(l.event) >= l.idle:
		return errMute
	}
	return nil
}

// deadline is when it will be given up, unless more comes; zero is never.
func (l *liveness) deadline() time.Time {
	if l.idle <= 0 {
		return time.Time{}
	}
	silent, mute := l.bytes.Add(l.silence), l.event.Add(l.idle)
	if silent.Before(mute) {
		return silent
	}
	return mute
}

// newest tells new seqs from repeats on one connection. One seq far above all
// others must not make everything behind it a repeat, so the highest one counts
// only once a higher one has come.
type newest struct{ sure, highest event.Seq }

// rises reports whether seq is new. Any set of seqs sent round and round is new
// a bounded number of times.
func (n *newest) rises(seq event.Seq) bool {
	switch {
	case seq <= n.sure || seq == n.highest:
		return false
	case seq > n.highest:
		n.sure = n.highest
	}
	n.highest = seq
	return true
}
