package health

import (
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/text"
)

// facts builds a panel's list; empty values are left out.
type facts []Fact

func (f *facts) add(name, value string, t tone) {
	if value != "" {
		*f = append(*f, Fact{Name: name, Value: value, Tone: t})
	}
}

var linkWords = map[event.LinkState]string{
	event.LinkDown: "not connected", event.LinkDialing: "connecting", event.LinkUp: "connected", event.LinkHeld: "held for an operator",
}

func relayPanel(s *Snapshot, p *past, now time.Time) Panel {
	var f facts
	state, t := linkWords[s.Link.State], toneBad
	switch s.Link.State {
	case event.LinkUp:
		t = toneGood
	case event.LinkDialing:
		t = toneWait
	}
	f.add("State", state, t)
	if s.Link.State == event.LinkUp {
		f.add("Up for", text.Lasting(now.Sub(p.upSince)), "")
	}
	f.add("Address", shown(relayAddress(s)), "")
	f.add("Started from", s.Link.From.String(), "")
	f.add("Connects", text.Thousands(s.Connects), "")
	if s.Link.State != event.LinkUp {
		f.add("Attempt", text.Thousands(s.Link.Attempt), "")
		f.add("Cause", s.Link.Cause, "")
		f.add("Error", shown(plain(s.Link.Err)), toneBad)
		if s.Link.Retry > 0 {
			f.add("Next try", "in "+text.Lasting(s.Link.Retry), "")
		}
	}
	return Panel{Title: "Relay", Facts: f}
}

func redisPanel(s *Snapshot) Panel {
	var f facts
	switch {
	case s.Store.Up:
		f.add("State", "takes batches", toneGood)
	case s.StoreKnown:
		f.add("State", "takes no batches", toneBad)
		f.add("Attempt", text.Thousands(s.Store.Attempt), "")
		f.add("Cause", s.Store.Cause, "")
		f.add("Error", shown(plain(s.Store.Err)), toneBad)
	case s.RoleKnown && !s.Role.Leading:
		f.add("State", "answers; the leader stores", toneGood)
	case s.SampleKnown && s.SampleErr == nil:
		f.add("State", "answers; nothing stored yet", toneWait)
	default:
		f.add("State", "not heard of yet", toneWait)
	}
	if s.SampleKnown {
		f.add("Version", shown(s.Sample.Version), "")
		f.memory(s)
		if s.Sample.Durable {
			f.add("Its disk", "last write worked", "")
		} else {
			f.add("Its disk", "last write failed", toneBad)
		}
		if n := s.Sample.DeadLetters; n > 0 {
			f.add("Dead letters", text.Thousands(n), toneWait)
		}
	}
	f.add("Look", shown(plain(s.SampleErr)), toneWait)
	return Panel{Title: "Redis", Facts: f}
}

func relayAddress(s *Snapshot) string { return userinfo.ReplaceAllString(s.Link.URL, "://***@") }

// fullShare is the share of its memory above which Redis is nearly full.
const fullShare = 0.9

func (f *facts) memory(s *Snapshot) {
	used, most := s.Sample.UsedMemory, s.Sample.MaxMemory
	switch {
	case used < 0:
	case most <= 0:
		f.add("Memory", text.Bytes(used)+", no limit", "")
	default:
		t := tone("")
		if float64(used) > fullShare*float64(most) {
			t = toneBad
		}
		f.add("Memory", fmt.Sprintf("%s of %s (%.0f\u00a0%%)", text.Bytes(used), text.Bytes(most), 100*float64(used)/float64(most)), t)
	}
}

func positionPanel(s *Snapshot) Panel {
	var f facts
	f.add("Cursor", seqText(s.Cursor), "")
	f.add("Last read", seqText(s.Counts.Last), "")
	if !s.LastTime.IsZero() {
		f.add("Event time", s.LastTime.UTC().Format("2006-01-02 15:04:05"), "")
	}
	f.add("Repeats", text.Thousands(s.Counts.Repeats)+" dropped", "")
	f.add("Seq gaps", text.Thousands(s.Counts.Gaps)+", which are legal", "")
	frames, ops := s.rejected()
	f.add("Rejected", text.Thousands(frames)+" frames", waitIf(frames > 0))
	f.add("Skipped", text.Thousands(ops)+" ops", waitIf(ops > 0))
	f.add("Alarms", text.Thousands(s.Alarms), waitIf(s.Alarms > 0))
	return Panel{Title: "Position", Facts: f}
}

func waitIf(b bool) tone {
	if b {
		return toneWait
	}
	return ""
}

// rejected counts what was not delivered: whole frames, and single ops.
func (s *Snapshot) rejected() (frames, ops int64) {
	for i, n := range s.Counts.Rejected {
		if event.Reason(i).Op() {
			ops += n
		} else {
			frames += n
		}
	}
	return frames, ops
}

func (m *Monitor) processPanel(s *Snapshot) Panel {
	var f facts
	switch {
	case s.RoleKnown && s.Role.Leading:
		f.add("Role", "leader", toneGood)
	case s.RoleKnown:
		f.add("Role", "standby", toneGood)
		f.add("Leader", shown(s.Role.By), "")
	}
	f.add("Running for", text.Lasting(s.Uptime), "")
	f.add("Stream", shown(m.cfg.Stream), "")
	f.add("Redis", shown(m.cfg.Redis), "")
	f.add("Host", shown(m.cfg.Host), "")
	f.add("Version", m.cfg.Version, "")
	if len(m.cfg.Commit) > 0 {
		f.add("Commit", m.cfg.Commit[:min(12, len(m.cfg.Commit))], "")
	}
	return Panel{Title: "Process", Facts: f}
}
