package sim

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// series says which seq and what time the events of a Config have. Events are
// numbered from 0; an event has exactly one frame.
type series struct {
	seed     uint64
	epoch    time.Time
	spacing  time.Duration // between events
	length   int64         // events per chapter
	accounts int           // per chapter
}

const (
	// firstSeq is about where relays were in 2026.
	firstSeq event.Seq = 7_000_000_000
	// maxCount keeps the time of the last event in the range of
	// time.Duration at the slowest rate, 0.01 per second.
	maxCount = 1 << 26
	// unpaced is the spacing of events without a rate.
	unpaced = time.Millisecond
	// leastChapter is the events of a chapter with few accounts, and
	// perAccount what each of many brings.
	leastChapter = 20_000
	perAccount   = 100
)

func newSeries(c *Config) *series {
	s := &series{seed: c.Seed, epoch: c.Epoch, spacing: unpaced, accounts: c.Accounts}
	if c.Rate > 0 {
		s.spacing = time.Duration(float64(time.Second) / c.Rate)
	}
	s.length = max(leastChapter, perAccount*int64(c.Accounts))
	return s
}

// A run of 16 events is numbered out of 17: seqs rise with small gaps.
const (
	runEvents  = 16
	runNumbers = runEvents + 1
)

// seq is the number of event i.
func (s *series) seq(i int64) event.Seq {
	run, at := i/runEvents, i%runEvents
	hole := int64(mix(s.seed+uint64(run)) % runNumbers)
	if at >= hole {
		at++
	}
	return firstSeq + event.Seq(run*runNumbers+at)
}

// after is the first event whose seq is above seq.
func (s *series) after(seq event.Seq) int64 {
	if seq < firstSeq {
		return 0
	}
	i := int64(seq-firstSeq) / runNumbers * runEvents
	for s.seq(i) <= seq {
		i++
	}
	return i
}

// time is when event i happened.
func (s *series) time(i int64) time.Time { return s.epoch.Add(time.Duration(i) * s.spacing) }

// mix spreads the bits of x (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

const tidDigits = "234567abcdefghijklmnopqrstuvwxyz"

// tid is the timestamp identifier of t and a clock number below 1024 (V2).
func tid(t time.Time, clock int) string {
	v := uint64(t.UnixMicro())<<10 | uint64(clock&1023)
	var text [13]byte
	for i := range text {
		text[len(text)-1-i] = tidDigits[v&31]
		v >>= 5
	}
	return string(text[:])
}

// stamp is t as records and events write it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
