package health

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fhctl/fhctl/pkg/event"
)

// foreign is what writers other than fhctl did.
type foreign struct {
	status        bool // such a writer writes the status key
	ahead, back   moves
	first, last   event.Seq // range of the last move; 0 before one
	entries, lost uint64
}

// moves counts changes of the cursor in one direction, and the seqs they spanned.
type moves struct{ times, seqs uint64 }

// SetForeign notes whether another program writes the dashboard's status.
func (m *Monitor) SetForeign(present bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.foreign.status = present
}

// CursorMoved counts a change of the cursor that no fhctl and no operator made.
func (m *Monitor) CursorMoved(move event.CursorMove) {
	now := m.cfg.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &m.t.foreign
	way, word := &f.back, "back"
	if move.Ahead() {
		way, word = &f.ahead, "ahead"
	}
	f.first, f.last = move.Between()
	way.times++
	way.seqs += uint64(f.last - f.first + 1)
	if way.times == 1 {
		m.t.note(now, toneBad, "Another program moved the cursor "+word, fmt.Sprintf("seq %s to %s", f.first, f.last))
	}
}

func foreignFamilies() []family {
	directions := func(read func(moves) uint64) func(*scrape, emit) {
		return func(s *scrape, out emit) {
			out(float64(read(s.t.foreign.ahead)), "ahead")
			out(float64(read(s.t.foreign.back)), "back")
		}
	}
	return []family{
		single("fhctl_foreign_writer", gauge, "1 while another program writes firehose:status.",
			func(s *scrape) float64 { return truth(s.t.foreign.status) }),
		{name: "fhctl_foreign_cursor_moves_total", kind: prometheus.CounterValue, label: "direction", help: "Times some other program changed the cursor. It was put back each time; an operator's cursor set does not count.",
			read: directions(func(m moves) uint64 { return m.times })},
		{name: "fhctl_foreign_cursor_seqs_total", kind: prometheus.CounterValue, label: "direction", help: "Sequence numbers between where the cursor was and where those changes had put it.",
			read: directions(func(m moves) uint64 { return m.seqs })},
		known("fhctl_foreign_cursor_first_seq", "First sequence number that the last such change passed over or went back behind; absent before one.",
			func(s *scrape) (float64, bool) { return float64(s.t.foreign.first), s.t.foreign.last > 0 }),
		known("fhctl_foreign_cursor_last_seq", "Last sequence number of that range; absent before one.",
			func(s *scrape) (float64, bool) { return float64(s.t.foreign.last), s.t.foreign.last > 0 }),
		single("fhctl_foreign_entries_total", counter, "Events not stored since another writer's entry with their seq is in the stream.",
			func(s *scrape) float64 { return float64(s.t.foreign.entries) }),
		single("fhctl_foreign_lost_total", counter, "Events that another writer left out and that were not stored afterwards, since it had stored a later event of the same repository.",
			func(s *scrape) float64 { return float64(s.t.foreign.lost) }),
	}
}
