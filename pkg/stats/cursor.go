package stats

import (
	"math"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

func (f *facts) deadLetters() DeadLetters {
	d := DeadLetters{Key: reader.DeadLetterKey, Unknown: f.dead.Why}
	if f.dead.Why == "" {
		d.Length = &f.dead.Length
	}
	if s := f.dead.Newest; s.ID != "" {
		d.Newest = &DeadLetter{
			ID: string(s.ID), StoredAt: s.ID.Time(), AgeSeconds: f.since(s.ID.Time()),
			Type: valueOf(s, entry.FieldType), Seq: valueOf(s, entry.FieldSeq), OrigID: valueOf(s, "origId"), Deliveries: valueOf(s, "deliveries"),
		}
	}
	return d
}

func (f *facts) reportCursor() Cursor {
	c := &f.cursor
	r := Cursor{
		Key: f.cursorKey, Unknown: f.cursorWhy, Present: c.Present, Raw: c.Raw,
		Window: Window{Seconds: f.window.Seconds(), Assumed: f.windowAssumed},
		Writer: WriterOf(c.Status),
	}
	if !c.Present {
		return r
	}
	if relay := c.Relay(); relay != "" {
		r.Relay, r.RelayAssumed = &relay, !c.SidePresent
		r.OtherRelay = f.relay != "" && f.relay != relay && !reader.IsReplay(relay)
	}
	if c.NotSeq {
		return r
	}
	r.Seq = &c.Seq
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
	r.AgeSeconds = new(f.since(*r.EventTime))
	if reader.IsReplay(c.Relay()) {
		return r // no relay has to hold what follows
	}
	r.Window.LeftSeconds = new(f.window.Seconds() - *r.AgeSeconds)
	return r
}

// WriterOf is nil without a heartbeat.
func WriterOf(h dashboard.Heartbeat) *Writer {
	if !h.Present {
		return nil
	}
	w := &Writer{Connected: h.Connected, Stopped: h.Stopped, RelayURL: h.URL}
	if h.Writer != "" {
		w.Name = &h.Writer
	}
	if h.CurrentCursor != "" {
		w.Cursor = &h.CurrentCursor
	}
	if h.TTL > 0 {
		w.AgeSeconds = new(math.Round(h.Age().Seconds()*1000) / 1000)
	}
	return w
}

func valueOf(s reader.Stored, name string) string {
	v, _ := s.Value(name)
	return v
}
