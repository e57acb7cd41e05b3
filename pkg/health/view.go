package health

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/text"
)

// View is the status page without its graphs, ready to be shown: every number
// is text already, so that the page says the same with and without scripts.
type View struct {
	Tone    tone     `json:"tone"`
	Word    string   `json:"word"`   // what is going on
	Detail  string   `json:"detail"` // why
	Help    string   `json:"help"`   // where the runbook says what to do; may be empty
	Time    string   `json:"time"`
	Numbers []Number `json:"numbers"`
	Panels  []Panel  `json:"panels"`
	Tables  []Table  `json:"tables"`
}

// Number is one of the large ones.
type Number struct {
	Label string `json:"label"`
	Value string `json:"value"`
	Unit  string `json:"unit"`
	Note  string `json:"note"`
	Tone  tone   `json:"tone"`
}

// Panel is a list of facts.
type Panel struct {
	Title string `json:"title"`
	Facts []Fact `json:"facts"`
}

// Fact is one line of a panel.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Tone  tone   `json:"tone"`
}

// Table is a list of rows under fixed heads.
type Table struct {
	Key   string `json:"key"`
	Title string `json:"title"`
	Empty string `json:"empty"` // said when there is no row
	Heads []Head `json:"heads"`
	Rows  []Row  `json:"rows"`
}

// Head is a column: its name and how its cells look (num, mono, long or "").
type Head struct {
	Name string `json:"name"`
	Look string `json:"look"`
}

// Row is one row; its tone colours the first cell.
type Row struct {
	Tone  tone     `json:"tone"`
	Cells []string `json:"cells"`
}

// standing is what each reason is called on the page, how it is coloured and
// where the runbook speaks of it.
var standing = map[Reason]struct {
	word string
	tone tone
	help string
}{
	Standby:    {"Standing by", toneGood, ""},
	Ready:      {"Connected and storing", toneGood, ""},
	Starting:   {"Starting", toneWait, ""},
	Idle:       {"Nothing arrives", toneBad, "nothing-arrives"},
	StoreDown:  {"Redis is down", toneBad, "redis-does-not-take-batches"},
	StreamFull: {"Stream is full", toneBad, "stream-full"},
	RelayDown:  {"Relay is down", toneBad, "relay-unreachable"},
	RelayHeld:  {"Held for an operator", toneBad, "reading-is-held"},
	Stopping:   {"Stopping", toneWait, ""},
}

// past is what the page tells besides the state.
type past struct {
	pace    pace
	notes   []note
	refused []refusal
	latest  []glimpse
	upSince time.Time
}

func (m *Monitor) past() past {
	m.mu.Lock()
	p := past{
		pace: m.t.history.pace(), notes: m.t.notes.newest(), refused: m.t.refused.newest(), upSince: m.t.upSince,
	}
	m.mu.Unlock()
	p.latest = m.latest.newest()
	return p
}

// View is the page at this moment.
func (m *Monitor) View() View {
	s, p, now := m.Snapshot(), m.past(), m.cfg.Now()
	state := standing[s.Reason]
	v := View{
		Tone: state.tone, Word: state.word, Detail: shown(s.Detail), Time: clock(now),
		Numbers: numbers(&s, &p),
		Panels:  []Panel{relayPanel(&s, &p, now), redisPanel(&s), positionPanel(&s), m.processPanel(&s)},
		Tables:  []Table{groupTable(&s), journalTable(p.notes), rejectTable(p.refused), latestTable(p.latest)},
	}
	switch s.Reason {
	case Ready:
		v.Detail = shown(relayAddress(&s)) + " into " + shown(m.cfg.Stream)
	case Standby:
		v.Detail = shown(s.Role.By) + " leads and stores; this process is connected and takes over when that one ends"
	default:
		v.Detail = sentence(v.Detail)
	}
	if state.help != "" {
		v.Help = cmp.Or(m.cfg.Runbook, "docs/runbook.md") + "#" + state.help
	}
	return v
}

// sentence begins text with a capital letter.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] // a letter of ours, or left as it is
}

func numbers(s *Snapshot, p *past) []Number {
	return []Number{storedNumber(p), lagNumber(s), backlogNumber(s), queueNumber(s), appendNumber(p), lengthNumber(s)}
}

func storedNumber(p *past) Number {
	n := Number{Label: "Stored", Value: "–", Unit: "entries/s"}
	if p.pace.known {
		n.Value, n.Note = rate(p.pace.stored), "read "+rate(p.pace.read)+"/s"
	}
	return n
}

// lateSeconds is a lag that no healthy relay has; see docs/runbook.md.
const lateSeconds = 300

func lagNumber(s *Snapshot) Number {
	n := Number{Label: "Relay lag", Value: "–", Note: "by the events' own time"}
	if s.LastTime.IsZero() {
		return n
	}
	n.Value = text.Lasting(s.Lag)
	if s.Lag > lateSeconds*time.Second {
		n.Tone = toneBad
	}
	return n
}

func backlogNumber(s *Snapshot) Number {
	n := Number{Label: "Unread", Value: "–", Unit: "entries", Note: "no consumer group"}
	g, ok := s.slowest()
	switch {
	case ok:
		n.Value, n.Note = lagText(g), "by "+shown(g.Name)
		if s.endangered(g) {
			n.Tone = toneBad
		}
	case !s.SampleKnown:
		n.Note = "groups not looked at yet"
	}
	return n
}

func queueNumber(s *Snapshot) Number {
	return Number{Label: "Queue", Value: text.Thousands(s.QueueEvents), Unit: "events", Note: text.Bytes(s.QueueBytes) + " read, not stored"}
}

func appendNumber(p *past) Number {
	n := Number{Label: "Append", Value: "–", Note: "per batch"}
	if !math.IsNaN(p.pace.append) && !math.IsInf(p.pace.append, 0) && p.pace.known {
		n.Value, n.Note = quickly(p.pace.append), fmt.Sprintf("per batch of %.0f", p.pace.batch)
	}
	return n
}

func lengthNumber(s *Snapshot) Number {
	n := Number{Label: "Stream", Value: "–", Unit: "entries", Note: "not a backlog"}
	if s.Length >= 0 {
		n.Value = text.Thousands(s.Length)
	}
	return n
}

func lagText(g Group) string {
	if g.Estimated {
		return "~" + text.Thousands(g.Lag)
	}
	return text.Thousands(g.Lag)
}

func groupTable(s *Snapshot) Table {
	t := Table{Key: "groups", Title: "Consumer groups", Empty: "No group reads this stream yet. Workers create theirs.", Heads: []Head{
		{"Group", "mono"}, {"Unread", "num"}, {"Pending", "num"}, {"Oldest pending", "num"}, {"Deliveries", "num"}, {"Consumers", "num"}, {"Trimmed unread", "num"},
	}}
	if !s.SampleKnown {
		t.Empty = "Redis was not looked at yet."
		if s.SampleErr != nil {
			t.Empty = "Redis cannot be looked at: " + shown(plain(s.SampleErr))
		}
	}
	groups := slices.Clone(s.Sample.Groups)
	slices.SortStableFunc(groups, func(a, b Group) int { return int(min(1, max(-1, b.Lag-a.Lag))) })
	for _, g := range groups[:min(len(groups), maxWords)] {
		t.Rows = append(t.Rows, groupRow(s, g))
	}
	if more := len(groups) - maxWords; more > 0 {
		t.Rows = append(t.Rows, Row{Tone: tonePale, Cells: []string{fmt.Sprintf("and %d more with less unread", more), "", "", "", "", "", ""}})
	}
	return t
}

// endangered reports whether trimming comes near what g has not read: it is
// what the alert FhctlGroupLag asks.
func (s *Snapshot) endangered(g Group) bool {
	return g.Lag > 1000 && s.Length > 0 && g.Lag*2 > s.Length
}

func groupRow(s *Snapshot, g Group) Row {
	row := Row{Tone: toneGood, Cells: []string{shown(g.Name), lagText(g), text.Thousands(g.Pending), "–", "–", text.Thousands(g.Consumers), text.Thousands(s.Unread[g.Name])}}
	if g.Pending > 0 {
		row.Cells[3], row.Cells[4] = text.Lasting(g.OldestIdle), text.Thousands(g.Deliveries)
	}
	switch {
	case s.Unread[g.Name] > 0, s.endangered(g):
		row.Tone = toneBad
	case g.Lag > 0 && g.Consumers == 0:
		row.Tone = toneWait
	}
	return row
}

func journalTable(notes []note) Table {
	t := Table{Key: "journal", Title: "What happened", Empty: "Nothing yet.", Heads: []Head{{"Time", "time"}, {"What", ""}, {"Detail", "long"}}}
	for _, n := range notes {
		what := n.what
		if n.times > 1 {
			what += fmt.Sprintf(" (%d times since %s)", n.times, clock(n.at))
		}
		t.Rows = append(t.Rows, Row{Tone: n.tone, Cells: []string{clock(n.last), what, n.detail}})
	}
	return t
}

func rejectTable(refused []refusal) Table {
	t := Table{Key: "rejects", Title: "Last rejects", Empty: "None: every frame was decoded.", Heads: []Head{
		{"Time", "time"}, {"Reason", "mono"}, {"Seq", "num"}, {"Bytes", "num"}, {"Detail", "long"},
	}}
	for _, r := range refused {
		t.Rows = append(t.Rows, Row{Tone: toneWait, Cells: []string{clock(r.at), r.reason.String(), seqText(r.seq), text.Thousands(r.bytes), r.detail}})
	}
	return t
}

func latestTable(found []glimpse) Table {
	t := Table{Key: "latest", Title: "Last entries, a sample", Empty: "Nothing was stored yet.", Heads: []Head{
		{"Time", "time"}, {"Seq", "num"}, {"Kind", ""}, {"Action", ""}, {"Path", "mono"}, {"Account", "mono"},
	}}
	for _, g := range found {
		t.Rows = append(t.Rows, Row{Tone: tonePale, Cells: []string{clock(g.at), seqText(g.seq), g.kind.String(), g.what, g.path, g.did}})
	}
	return t
}

func seqText(seq event.Seq) string {
	if seq <= 0 {
		return "–"
	}
	return seq.String()
}
