package replay

import (
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// longStep is the longest time between two events that a speed reproduces. A
// longer one is an outage, or an event time that is not true (E6).
const longStep = time.Hour

// pacer holds events back.
type pacer struct {
	rate  float64 // a second; 0 is no limit
	speed float64 // times the recorded speed; 0 is as fast as it goes

	began  time.Time
	sent   int64
	offset time.Duration // of the events' clock since the first one
	last   time.Time
}

// due is how long to wait before the event whose time is at.
func (p *pacer) due(at time.Time) time.Duration {
	if p.rate == 0 && p.speed == 0 {
		return 0
	}
	now := time.Now()
	if p.began.IsZero() {
		p.began = now
	}
	wait := time.Duration(0)
	if p.rate > 0 {
		wait = p.began.Add(time.Duration(float64(p.sent) * float64(time.Second) / p.rate)).Sub(now)
	}
	p.sent++
	if p.speed > 0 {
		p.offset += timeStep(p.last, at)
		wait = max(wait, p.began.Add(time.Duration(float64(p.offset)/p.speed)).Sub(now))
	}
	if !at.IsZero() {
		p.last = at
	}
	return wait
}

// timeStep is the time from one event to the next, 0 when it says nothing. It may
// be below zero: event times need not rise.
func timeStep(last, at time.Time) time.Duration {
	if last.IsZero() || at.IsZero() {
		return 0
	}
	if d := at.Sub(last); d.Abs() <= longStep {
		return d
	}
	return 0
}

// Spacing gives the time between two frames at a multiple of the recorded speed, as
// relayserver.Config.Delay takes it. It is safe for concurrent use.
func Spacing(speed float64) func(last, next []byte) time.Duration {
	decoders := sync.Pool{New: func() any { return &timeReader{decoder: frame.Decoder{Raw: true}} }}
	return func(last, next []byte) time.Duration {
		d := decoders.Get().(*timeReader)
		defer decoders.Put(d)
		return time.Duration(float64(timeStep(d.time(last), d.time(next))) / speed)
	}
}

// timeReader reads the event time of frames.
type timeReader struct {
	decoder frame.Decoder
	ev      event.Event
}

func (d *timeReader) time(raw []byte) time.Time {
	if d.decoder.Decode(raw, &d.ev) != nil {
		return time.Time{}
	}
	at, _ := event.ParseTime(string(d.ev.Time))
	return at
}
