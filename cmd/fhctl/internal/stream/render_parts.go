package stream

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

// partitions is a line for each.
func (p *statsPage) partitions(r *stats.Report) {
	if len(r.Partitions) == 0 {
		return
	}
	p.head("Partitions")
	t := &output.Table{Right: []int{0, 1, 2, 3, 4, 5}}
	t.Add("PARTITION", "LENGTH", "RATE", "LAST SEQ", "CURSOR", "LAG")
	for i := range r.Partitions {
		part := &r.Partitions[i]
		rate, last, cursor, lag := dash, dash, dash, dash
		if part.Rate.PerSecond != nil {
			rate = text.PerSecond(*part.Rate.PerSecond)
		}
		if e := part.Stream.Last; e != nil && e.Seq != nil {
			last = e.Seq.String()
		}
		if part.Cursor.Seq != nil {
			cursor = part.Cursor.Seq.String()
		}
		if len(part.Groups) > 0 {
			most := slices.MaxFunc(part.Groups, func(a, b stats.Group) int { return cmp.Compare(a.Lag, b.Lag) })
			lag = tilde(most.Lag, most.LagExact)
		}
		t.Add(fmt.Sprintf("{%d}", part.Partition), text.Thousands(part.Stream.Length), rate, last, cursor, lag)
	}
	p.table(t, true)
	for i := range r.Groups {
		for _, part := range r.Groups[i].MissingIn {
			p.line(output.Warn, fmt.Sprintf("  group %s does not exist in {%d}: nobody reads that partition", r.Groups[i].Name, part))
		}
	}
}

// ledger is shown where there are any.
func (p *statsPage) ledger(l *stats.Losses, at time.Time) {
	if len(l.Newest) == 0 && l.Unknown == "" {
		return
	}
	p.head("Lost to trimming " + l.Key)
	if l.Unknown != "" {
		p.line(output.Warn, "  unknown: "+l.Unknown)
	}
	for _, line := range l.Newest {
		if line.Group == "" {
			p.line(output.Bad, fmt.Sprintf("  %s: somebody removed entries, and what groups had not read of them is gone, up to seq %s", ago(at.Sub(line.Until).Seconds()), line.To))
			continue
		}
		p.line(output.Warn, fmt.Sprintf("  %s: %s lost %s unread and %s pending, seq %s to %s", ago(at.Sub(line.Until).Seconds()),
			line.Group, text.Thousands(line.Unread), text.Thousands(line.Pending), line.From, line.To))
	}
}
