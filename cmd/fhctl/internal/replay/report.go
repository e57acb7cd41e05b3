package replay

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/text"
)

// replaySummary is the summary as -o json prints it: docs/json.md.
type replaySummary struct {
	V        int              `json:"v"`
	Command  string           `json:"command"`
	Source   string           `json:"source"`
	Target   string           `json:"target"`
	DryRun   bool             `json:"dryRun"`
	Complete bool             `json:"complete"`
	Events   int64            `json:"events"`
	FirstSeq *event.Seq       `json:"firstSeq"`
	LastSeq  *event.Seq       `json:"lastSeq"`
	Kinds    map[string]int64 `json:"kinds"`
	Repeats  int64            `json:"repeats"`
	Filtered int64            `json:"filtered"`
	NotTaken int64            `json:"notTaken"`
	Rejected int64            `json:"rejected"`
	Reasons  map[string]int64 `json:"reasons"`
	Bytes    int64            `json:"bytes"`
	Seconds  float64          `json:"seconds"`
}

func (r *replayRun) summary() replaySummary {
	did := &r.did
	s := replaySummary{
		V: 1, Command: r.plan.label, Source: r.origin.name, Target: r.targetName, DryRun: r.plan.dryRun, Complete: did.Complete,
		Events: did.Taken, Kinds: did.Kinds, Repeats: did.Repeats, Filtered: did.Unwanted, NotTaken: did.NotTaken, Rejected: did.Rejected,
		Reasons: map[string]int64{}, Bytes: did.Bytes, Seconds: time.Since(r.plan.started).Round(time.Millisecond).Seconds(),
	}
	if did.First > 0 {
		s.FirstSeq, s.LastSeq = &did.First, &did.Last
	}
	for reason, n := range did.Reasons {
		if n > 0 {
			s.Reasons[event.Reason(reason).String()] = n
		}
	}
	return s
}

// report prints the summary: one line for people, or JSON where standard output
// is not the data.
func (r *replayRun) report() error {
	s := r.summary()
	if r.plan.json {
		out := json.NewEncoder(shell.Visible(r.app.Out))
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(s)
	}
	fmt.Fprintln(r.app.Err, text.Escape(s.String()))
	if s.Events == 0 && s.Complete && r.target.After() == 0 {
		fmt.Fprintln(r.app.Err, "hint: "+text.Escape(r.whyNothing()))
	}
	return nil
}

// whyNothing is where to look when nothing was replayed.
func (r *replayRun) whyNothing() string {
	first, last := r.did.Seen.First, r.did.Seen.Last
	if bounds := r.origin.bounds; bounds != nil {
		first, _ = bounds.First.Seq()
		last, _ = bounds.Last.Seq()
	}
	if first == 0 && r.plan.follow {
		return fmt.Sprintf("no event came from %s before this ended: let it run for longer, or begin earlier with --from oldest, if it has any", r.origin.name)
	}
	if first == 0 {
		return r.origin.name + " holds no events"
	}
	if n := r.did.Unwanted; n > 0 {
		return fmt.Sprintf("%s events of the range passed (seq %s to %s of %s) and the filters want none of them: see --collection, --did, --kind and --action",
			text.Thousands(n), first, last, r.origin.name)
	}
	return fmt.Sprintf("looked at seq %s to %s of %s and wanted none of it: see --from, --to and the filters", first, last, r.origin.name)
}

// String is the summary for people.
func (s replaySummary) String() string {
	verb := map[string]string{"replay": "replayed", "record": "recorded"}[s.Command]
	switch {
	case s.DryRun:
		verb = "dry run: would have " + verb
	case !s.Complete:
		verb = "stopped early: " + verb
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s events", verb, text.Thousands(s.Events))
	if s.FirstSeq != nil {
		fmt.Fprintf(&b, " (seq %s to %s)", s.FirstSeq, s.LastSeq)
	}
	fmt.Fprintf(&b, " from %s to %s in %s", s.Source, s.Target, text.Span(time.Duration(s.Seconds*float64(time.Second))))
	for _, part := range []struct {
		n    int64
		what string
	}{
		{s.Repeats, "were there already"}, {s.Filtered, "filtered out"}, {s.NotTaken, "of kinds the target does not take"}, {s.Rejected, "could not be read" + reasonList(s.Reasons)},
	} {
		if part.n > 0 {
			fmt.Fprintf(&b, "; %s %s", text.Thousands(part.n), part.what)
		}
	}
	return b.String()
}

func reasonList(reasons map[string]int64) string {
	var parts []string
	for reason := range event.Reason(event.Reasons) {
		if n := reasons[reason.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", reason, n))
		}
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
