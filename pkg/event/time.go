package event

import (
	"slices"
	"time"
)

// ParseTime reads an event's informal time as relays write it: with or without a
// zone (then UTC), with any number of fraction digits. ok is false for what is no
// time, and for years that no event can be of.
func ParseTime(sent string) (at time.Time, ok bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if at, err := time.Parse(layout, sent); err == nil {
			at = at.UTC()
			return at, firstYear <= at.Year() && at.Year() <= lastYear
		}
	}
	return time.Time{}, false
}

// The years that a time may claim. Any two of them are less than
// time.Duration's 292 years apart.
const (
	firstYear = 2000
	lastYear  = 2199
)

// timesKept is how many events have a vote on what time it is.
const timesKept = 5

// maxTime is how many bytes of a time are looked at.
const maxTime = 64

// Times is what the last few events claimed as their time. No single one is to be
// believed (E6), so the middle one is what counts. The zero Times is empty.
type Times struct {
	sent [timesKept][]byte
	n    int
}

// Note takes the time of one more event, as sent.
func (t *Times) Note(sent []byte) {
	slot := &t.sent[t.n%timesKept]
	*slot = append((*slot)[:0], sent[:min(len(sent), maxTime)]...)
	t.n++
}

// Forget empties it.
func (t *Times) Forget() { t.n = 0 }

// Known is how many of the events told a time.
func (t *Times) Known() int {
	_, n := t.votes()
	return n
}

// Middle is the middle one of the times, and of two the later; ok is false
// without any. Sent is as the relay wrote it, valid until the next Note.
func (t *Times) Middle() (sent []byte, at time.Time, ok bool) {
	votes, n := t.votes()
	if n == 0 {
		return nil, time.Time{}, false
	}
	slices.SortStableFunc(votes[:n], func(a, b vote) int { return a.at.Compare(b.at) })
	return votes[n/2].sent, votes[n/2].at, true
}

type vote struct {
	sent []byte
	at   time.Time
}

func (t *Times) votes() (votes [timesKept]vote, n int) {
	for _, sent := range t.sent[:min(t.n, timesKept)] {
		if at, ok := ParseTime(string(sent)); ok {
			votes[n] = vote{sent, at}
			n++
		}
	}
	return votes, n
}
