package stats

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// IdleAfter is how long nothing must have been stored for the rate to be 0
// instead of a memory of what it was.
const IdleAfter = time.Minute

// facts is what was read; everything else in a report follows from it.
type facts struct {
	at            time.Time
	serverClock   bool
	redis         string
	streamKey     string
	cursorKey     string
	relay         string // that the settings name; "" none
	maxLength     int64
	window        time.Duration // of the relay
	windowAssumed bool
	exists        bool
	bounds        reader.Bounds
	added         int64 // -1 unknown
	memory        int64
	memoryWhy     string // not known, because
	sample        tally
	groups        []groupFacts
	dead          reader.DeadLetters
	losses        []reader.Loss
	lossesWhy     string
	ledgerKey     string
	cursor        reader.CursorState
	cursorWhy     string // not known, because
	// cursorEntry is the entry of the cursor's seq, where the side key does
	// not know the event's time; zero when there is none.
	cursorEntry reader.Stored
}

type groupFacts struct {
	reader.Group
	unread     reader.Stored // the oldest entry it was not given; zero if none
	deliveries reader.Redeliveries
}

// report derives a report without its checks. It reads nothing but f.
func (f *facts) report() *Report {
	r := &Report{
		V: Version, At: f.at.UTC(), Clock: "local", Redis: f.redis,
		Rate: f.rate(), Sample: f.sample.report(), Groups: []Group{}, Checks: []Check{},
		Losses: f.reportLosses(), DeadLetters: f.deadLetters(), Cursor: f.reportCursor(),
	}
	if f.serverClock {
		r.Clock = "redis"
	}
	r.Stream = f.stream(r.Rate.PerSecond)
	for i := range f.groups {
		g := f.group(&f.groups[i], r.Rate.PerSecond)
		r.Groups = append(r.Groups, g)
		if g.Room != nil && (r.Room == nil || g.Room.Entries < r.Room.Entries || g.Room.Entries == 0 && g.LostUnread) {
			r.Room = g.Room
		}
	}
	return r
}

func (f *facts) stream(rate *float64) Stream {
	s := Stream{
		Key: f.streamKey, Exists: f.exists, Length: f.bounds.Length, MaxLength: f.maxLength,
		First: f.entry(f.bounds.First), Last: f.entry(f.bounds.Last), MemoryUnknown: f.memoryWhy,
	}
	if f.exists && f.memoryWhy == "" {
		s.MemoryBytes = &f.memory
	}
	if limit, observed := f.trimAt(); limit > 0 {
		s.TrimAt, s.TrimObserved = &limit, observed
	}
	if f.added >= 0 {
		s.EntriesAdded = &f.added
	}
	if f.bounds.Length > 0 {
		s.SpanSeconds = new(f.span().Seconds())
		s.SpanAtRateSeconds = timeFor(f.bounds.Length, rate)
	}
	return s
}

func (f *facts) span() time.Duration {
	return f.bounds.Last.ID.Time().Sub(f.bounds.First.ID.Time())
}

// entry is nil for no entry. The relay's time is known of the entry the cursor
// stands at, and of entries that carry it.
func (f *facts) entry(s reader.Stored) *Entry {
	if s.ID == "" {
		return nil
	}
	e := &Entry{ID: string(s.ID), StoredAt: s.ID.Time(), AgeSeconds: f.since(s.ID.Time())}
	text, _ := s.Value("time")
	if seq, ok := s.Seq(); ok {
		e.Seq = &seq
		if text == "" && seq == f.cursor.Seq {
			e.RelayTime = f.cursorTime() // none that cannot be true
			return e
		}
	}
	e.RelayTime = relayTime(text)
	return e
}

// relayTime is nil for what is no time: relays may send anything (E6).
func relayTime(text string) *time.Time {
	t, ok := event.ParseTime(text)
	if !ok {
		return nil
	}
	return &t
}

// cursorTime is the relay's time of the event the cursor stands at; nil when it
// is unknown, or cannot be true.
func (f *facts) cursorTime() *time.Time {
	at, ok := f.cursor.EventTime(f.bounds.Last.ID.Time(), f.at, f.window)
	if !ok {
		return nil
	}
	return &at
}

func (f *facts) since(t time.Time) float64 { return f.at.Sub(t).Seconds() }

// rate measures up to now, so that a stream that stalled slows down. Without
// the server's clock a short silence may be the difference of two clocks.
func (f *facts) rate() Rate {
	r := Rate{Entries: f.sample.entries}
	if span := f.span().Seconds(); f.bounds.Length > 1 && span > 0 {
		r.AveragePerSecond = new(float64(f.bounds.Length-1) / span)
	}
	if f.sample.entries == 0 {
		if f.exists && f.bounds.Length == 0 {
			r.PerSecond = new(0.0)
		}
		return r
	}
	oldest, newest := f.sample.oldest.Time(), f.sample.newest.Time()
	silence := f.at.Sub(newest)
	window := newest.Sub(oldest)
	if silence > 0 && (f.serverClock || silence > 10*time.Second) {
		window += silence
	}
	r.WindowSeconds = window.Seconds()
	switch {
	case silence >= IdleAfter:
		r.PerSecond = new(0.0)
	case window > 0 && f.sample.entries > 1:
		r.PerSecond = new(float64(f.sample.entries-1) / window.Seconds())
	}
	return r
}

// timeFor is how long n entries take at a rate; nil when they never come.
func timeFor(n int64, rate *float64) *float64 {
	if rate == nil || *rate <= 0 {
		return nil
	}
	return new(float64(n) / *rate)
}

// idle is nil for a span that the server does not tell.
func idle(d time.Duration) *float64 {
	if d < 0 {
		return nil
	}
	return new(d.Seconds())
}
