package main

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// idleAfter is how long nothing must have been stored for the rate to be 0
// instead of a memory of what it was.
const idleAfter = time.Minute

// streamFacts is what was read; everything else in a report follows from it.
type streamFacts struct {
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
	bounds        redisstream.Bounds
	added         int64 // -1 unknown
	memory        int64
	memoryWhy     string // not known, because
	sample        tally
	groups        []groupFacts
	dead          redisstream.DeadLetters
	cursor        redisstream.CursorState
	cursorWhy     string // not known, because
	// cursorEntry is the entry of the cursor's seq, where the side key does
	// not know the event's time; zero when there is none.
	cursorEntry redisstream.Stored
}

type groupFacts struct {
	redisstream.Group
	unread     redisstream.Stored // the oldest entry it was not given; zero if none
	deliveries redisstream.Redeliveries
}

// report derives a report without its checks. It reads nothing but f.
func (f *streamFacts) report() *statsReport {
	r := &statsReport{
		V: statsVersion, At: f.at.UTC(), Clock: "local", Redis: f.redis,
		Rate: f.rate(), Sample: f.sample.report(), Groups: []groupReport{}, Checks: []checkReport{},
		DeadLetters: f.deadLetters(), Cursor: f.cursorReport(),
	}
	if f.serverClock {
		r.Clock = "redis"
	}
	r.Stream = f.stream(r.Rate.PerSecond)
	for i := range f.groups {
		g := f.group(&f.groups[i], r.Rate.PerSecond)
		r.Groups = append(r.Groups, g)
		if g.Room != nil && (r.Room == nil || g.Room.Entries < r.Room.Entries) {
			r.Room = g.Room
		}
	}
	return r
}

func (f *streamFacts) stream(rate *float64) streamReport {
	s := streamReport{
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
		s.SpanSeconds = number(f.span().Seconds())
		s.SpanAtRateSeconds = timeFor(f.bounds.Length, rate)
	}
	return s
}

func (f *streamFacts) span() time.Duration {
	return f.bounds.Last.ID.Time().Sub(f.bounds.First.ID.Time())
}

// entry is nil for no entry. The relay's time is known of the entry the cursor
// stands at, and of entries that carry it.
func (f *streamFacts) entry(s redisstream.Stored) *entryReport {
	if s.ID == "" {
		return nil
	}
	e := &entryReport{ID: string(s.ID), StoredAt: s.ID.Time(), AgeSeconds: f.since(s.ID.Time())}
	text, _ := s.Value("time")
	if seq, ok := s.Seq(); ok {
		e.Seq = &seq
		if text == "" && seq == f.cursor.Seq {
			text = f.cursor.Side.EventTime
		}
	}
	e.RelayTime = relayTime(text)
	return e
}

// relayTime is nil for what is no time: relays may send anything (E6).
func relayTime(text string) *time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil
	}
	t = t.UTC()
	return &t
}

func (f *streamFacts) since(t time.Time) float64 { return f.at.Sub(t).Seconds() }

// rate measures up to now, so that a stream that stalled slows down. Without
// the server's clock a short silence may be the difference of two clocks.
func (f *streamFacts) rate() rateReport {
	r := rateReport{Entries: f.sample.entries}
	if span := f.span().Seconds(); f.bounds.Length > 1 && span > 0 {
		r.AveragePerSecond = number(float64(f.bounds.Length-1) / span)
	}
	if f.sample.entries == 0 {
		if f.exists && f.bounds.Length == 0 {
			r.PerSecond = number(0)
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
	case silence >= idleAfter:
		r.PerSecond = number(0)
	case window > 0 && f.sample.entries > 1:
		r.PerSecond = number(float64(f.sample.entries-1) / window.Seconds())
	}
	return r
}

func (f *streamFacts) group(g *groupFacts, rate *float64) groupReport {
	out := groupReport{
		Name: g.Name, LastDelivered: string(g.LastDelivered), Lag: g.Lag, LagExact: g.LagExact, Pending: g.Pending,
		Consumers: []consumerReport{},
	}
	if g.EntriesRead >= 0 {
		out.EntriesRead = &g.EntriesRead
	}
	if g.Lag > 0 && g.unread.ID != "" {
		out.LagSeconds = max(0, f.since(g.unread.ID.Time()))
	}
	if g.Pending > 0 && g.OldestPending != "" {
		out.OldestPending = &pendingReport{
			ID: string(g.OldestPending), AgeSeconds: f.since(g.OldestPending.Time()), IdleSeconds: g.OldestPendingIdle.Seconds(),
		}
		d := g.deliveries
		out.Redelivered = &redeliverReport{Entries: d.Entries, MaxDeliveries: d.Max, Examined: d.Examined, Complete: d.Examined >= g.Pending}
	}
	for _, c := range g.Consumers {
		out.Consumers = append(out.Consumers, consumerReport{c.Name, c.Pending, idle(c.Idle), idle(c.Inactive)})
	}
	first := f.bounds.First.ID
	out.LostUnread = f.lostUnread(g)
	out.LostPending = out.OldestPending != nil && (first == "" || g.OldestPending.Compare(first) < 0)
	out.Room = f.room(g, &out, rate)
	return out
}

// lostUnread reports whether trimming passed a group's position. One at 0-0 has
// only just begun. Nothing is lost when nothing was trimmed, or when the server
// counted that the group had been given everything that was.
func (f *streamFacts) lostUnread(g *groupFacts) bool {
	first := f.bounds.First.ID
	if first == "" || g.LastDelivered.Compare("0-0") == 0 || g.LastDelivered.Compare(first) >= 0 {
		return false
	}
	trimmed := f.added - f.bounds.Length
	return f.added < 0 || trimmed > 0 && g.EntriesRead < trimmed
}

// trimAt is the length at which entries go, 0 for never: the setting, unless the
// stream itself shows that its writer has another one.
func (f *streamFacts) trimAt() (length int64, observed bool) {
	now, slack := f.bounds.Length, f.maxLength/10+1000
	trimmed := f.added > now
	switch {
	case f.maxLength <= 0:
		if trimmed && now > 0 {
			return now, true
		}
		return 0, false
	case now > f.maxLength+slack, trimmed && now > 0 && now < f.maxLength-slack:
		return now, true
	}
	return f.maxLength, false
}

// room is nil where nothing is ever trimmed.
func (f *streamFacts) room(g *groupFacts, out *groupReport, rate *float64) *roomReport {
	limit, _ := f.trimAt()
	if limit <= 0 {
		return nil
	}
	r := &roomReport{Group: g.Name, Exact: g.LagExact, Needs: "unread"}
	behind := g.Lag
	if out.OldestPending != nil {
		if n, exact := f.upTo(g.OldestPending); n > behind {
			behind, r.Exact, r.Needs = n, exact, "pending"
		}
	}
	r.Entries = max(0, limit-behind)
	switch {
	case out.LostUnread:
		r.Entries, r.Exact, r.Needs = 0, true, "unread"
	case out.LostPending:
		r.Entries, r.Exact, r.Needs = 0, true, "pending"
	}
	r.Seconds = timeFor(r.Entries, rate)
	return r
}

// upTo is how many entries the newest end of the stream has from an id on. Only
// at its ends is that known; between them ids are taken to be spread evenly.
func (f *streamFacts) upTo(id redisstream.ID) (n int64, exact bool) {
	first, last := f.bounds.First.ID, f.bounds.Last.ID
	switch {
	case first == "" || id.Compare(last) > 0:
		return 0, true
	case id.Compare(first) <= 0:
		return f.bounds.Length, true
	case id == last:
		return 1, true
	}
	part := float64(last.Time().Sub(id.Time())) / max(1, float64(f.span()))
	return min(f.bounds.Length, int64(part*float64(f.bounds.Length))+1), false
}

func (f *streamFacts) deadLetters() deadLettersReport {
	d := deadLettersReport{Key: redisstream.DeadLetterKey, Unknown: f.dead.Why}
	if f.dead.Why == "" {
		d.Length = &f.dead.Length
	}
	if s := f.dead.Newest; s.ID != "" {
		field := func(name string) string { v, _ := s.Value(name); return v }
		d.Newest = &deadLetterReport{
			ID: string(s.ID), StoredAt: s.ID.Time(), AgeSeconds: f.since(s.ID.Time()),
			Type: field("type"), Seq: field("seq"), OrigID: field("origId"), Deliveries: field("deliveries"),
		}
	}
	return d
}

func (f *streamFacts) cursorReport() cursorReport {
	c := &f.cursor
	r := cursorReport{
		Key: f.cursorKey, Unknown: f.cursorWhy, Present: c.Present, Raw: c.Raw,
		Window: windowReport{Seconds: f.window.Seconds(), Assumed: f.windowAssumed},
		Writer: reportWriter(c.Status),
	}
	if !c.Present {
		return r
	}
	if relay := c.Relay(); relay != "" {
		r.Relay, r.RelayAssumed = &relay, !c.SidePresent
		r.OtherRelay = f.relay != "" && f.relay != relay
	}
	if c.NotSeq {
		return r
	}
	r.Seq = new(event.Seq)
	*r.Seq = c.Seq
	r.EventTime, r.TimeFrom = relayTime(c.Side.EventTime), "relay"
	if s := f.cursorEntry; r.EventTime == nil && s.ID != "" {
		stored := s.ID.Time()
		if r.EventTime = relayTime(valueOf(s, "time")); r.EventTime == nil {
			r.EventTime, r.TimeFrom = &stored, "entry"
		}
	}
	if r.EventTime == nil {
		r.TimeFrom = ""
		return r
	}
	r.AgeSeconds = number(f.since(*r.EventTime))
	r.Window.LeftSeconds = number(f.window.Seconds() - *r.AgeSeconds)
	return r
}

func valueOf(s redisstream.Stored, name string) string {
	v, _ := s.Value(name)
	return v
}

// timeFor is how long n entries take at a rate; nil when they never come.
func timeFor(n int64, rate *float64) *float64 {
	if rate == nil || *rate <= 0 {
		return nil
	}
	return number(float64(n) / *rate)
}

// idle is nil for a span that the server does not tell.
func idle(d time.Duration) *float64 {
	if d < 0 {
		return nil
	}
	return number(d.Seconds())
}

func number(x float64) *float64 { return &x }
