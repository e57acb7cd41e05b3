package main

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

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
		r.OtherRelay = f.relay != "" && f.relay != relay && !redisstream.IsReplay(relay)
	}
	if c.NotSeq {
		return r
	}
	r.Seq = new(event.Seq)
	*r.Seq = c.Seq
	r.EventTime, r.TimeFrom = f.cursorTime(), "relay"
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
	if redisstream.IsReplay(c.Relay()) {
		return r // no relay has to hold what follows
	}
	r.Window.LeftSeconds = number(f.window.Seconds() - *r.AgeSeconds)
	return r
}

// reportWriter is nil without a heartbeat.
func reportWriter(h redisstream.Heartbeat) *writerReport {
	if !h.Present {
		return nil
	}
	w := &writerReport{Connected: h.Connected, Stopped: h.Stopped, RelayURL: h.URL}
	if h.Writer != "" {
		w.Name = &h.Writer
	}
	if h.CurrentCursor != "" {
		w.Cursor = &h.CurrentCursor
	}
	if h.TTL > 0 {
		w.AgeSeconds = number(h.Age().Round(time.Millisecond).Seconds())
	}
	return w
}

func valueOf(s redisstream.Stored, name string) string {
	v, _ := s.Value(name)
	return v
}
