package verify

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/audit"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/verify"
)

// verifyReport prints findings as they come and what was covered at the end.
type verifyReport struct {
	env     *shell.Env
	cfg     *config.Config
	plan    *verifyPlan
	name    string
	of      verify.Source
	began   bool // reading has begun
	out     *bufio.Writer
	line    *output.Line // nil draws no bar
	restore func()       // gives back the terminal's last line; again does nothing
	kept    []verify.Finding
	failed  error // of writing
}

func newVerifyReport(env *shell.Env, cfg *config.Config, p *verifyPlan, name string, of verify.Source) *verifyReport {
	return &verifyReport{env: env, cfg: cfg, plan: p, name: name, of: of, restore: func() {}}
}

// begin takes the terminal's last line for the bar. It does so only once something is
// read: who asked for nothing that is stored sees an error alone.
func (r *verifyReport) begin() {
	r.began = true
	w := shell.Visible(r.env.Out)
	if shell.Live(r.env, r.cfg) {
		back := r.env.Err.Divert(func(terminal io.Writer) io.Writer {
			r.line = output.NewLine(output.LineConfig{Out: terminal})
			return r.line.Writer()
		})
		r.restore = sync.OnceFunc(func() { r.line.Close(); back() })
		if r.env.OutTerminal() != nil {
			w = output.Visible(r.line.Writer()) // the same screen: the bar must step aside
		}
	}
	r.out = bufio.NewWriterSize(w, 64<<10)
}

func (r *verifyReport) progress(p audit.Progress) {
	if !r.began {
		r.begin()
	}
	if r.line != nil {
		unit := "entries"
		if r.of == verify.OfCapture {
			unit = "frames"
		}
		r.line.SetProgress(output.Progress{Label: "verify", Unit: unit, Done: p.Done, Fraction: p.Fraction, Seq: p.Seq})
	}
}

// finding prints one; JUnit wants them by rule, so they are kept for it.
func (r *verifyReport) finding(f verify.Finding) {
	switch r.plan.format {
	case "junit":
		r.kept = append(r.kept, f)
	case "json":
		r.Write(jsonFinding(f))
	default:
		fmt.Fprintln(r.out, findingText(f))
	}
	r.flush()
}

// Write prints one line of JSON.
func (r *verifyReport) Write(v any) {
	e := json.NewEncoder(r.out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil && r.failed == nil {
		r.failed = err
	}
}

func (r *verifyReport) flush() {
	if err := r.out.Flush(); err != nil && r.failed == nil {
		r.failed = err
	}
}

// end prints the summary. Its error is of writing. stopped is why the check
// ended early, nil when it did not.
func (r *verifyReport) end(sum *audit.Summary, stopped error) error {
	r.restore()
	switch r.plan.format {
	case "junit":
		if err := r.junit(sum, stopped); err != nil && r.failed == nil {
			r.failed = err
		}
	case "json":
		r.Write(r.summary(sum, stopped))
	default:
		r.text(sum, stopped)
	}
	r.flush()
	return r.failed
}

// outcomeWord is the verdict.
func outcomeWord(sum *audit.Summary, stopped error) string {
	switch {
	case !sum.Clean():
		return "findings"
	case stopped != nil:
		return "unknown"
	}
	return "clean"
}

// findingLine is a finding as -o json prints it: docs/json.md.
type findingLine struct {
	V        int             `json:"v"`
	Kind     string          `json:"kind"` // "finding"
	Severity verify.Severity `json:"severity"`
	Rule     verify.Rule     `json:"rule"`
	Seq      *event.Seq      `json:"seq"`
	ID       *string         `json:"id"`
	Where    string          `json:"where"`
	Detail   string          `json:"detail"`
	Fix      string          `json:"mend"`
}

func jsonFinding(f verify.Finding) findingLine {
	return findingLine{V: 1, Kind: "finding", Severity: f.Severity, Rule: f.Rule, Seq: known(f.Seq), ID: known(f.ID), Where: f.Where, Detail: f.Detail, Fix: shell.Typed(f.Fix)}
}

// known is nil for the zero value, which stands for unknown.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// summaryLine is the last line of -o json.
type summaryLine struct {
	V        int    `json:"v"`
	Kind     string `json:"kind"` // "summary"
	Source   string `json:"source"`
	Verdict  string `json:"verdict"`
	Complete bool   `json:"complete"`
	Stopped  string `json:"stopped,omitempty"`

	From    *string          `json:"from"`
	To      *string          `json:"to"`
	Covered coveredLine      `json:"covered"`
	Entries int64            `json:"entries"`
	Others  *int64           `json:"others,omitempty"`
	Checked int64            `json:"checked"`
	Sample  int              `json:"sample"`
	Seed    uint64           `json:"seed"`
	First   markLine         `json:"first"`
	Last    markLine         `json:"last"`
	Kinds   map[string]int64 `json:"kinds"`
	Ops     int64            `json:"ops"`
	Records int64            `json:"records"`
	Gaps    gapsLine         `json:"gaps"`
	Cursor  *cursorLine      `json:"cursor"`
	Frames  *framesLine      `json:"frames,omitempty"`

	Errors   int64      `json:"errors"`
	Warnings int64      `json:"warnings"`
	Rules    []ruleLine `json:"rules"`
	Seconds  float64    `json:"seconds"`
}

type (
	coveredLine struct {
		Whole bool     `json:"whole"`
		Why   []string `json:"why"`
	}
	markLine struct {
		Seq *event.Seq `json:"seq"`
		ID  *string    `json:"id"`
	}
	gapsLine struct {
		Count   int64     `json:"count"`
		Missing int64     `json:"missing"`
		Largest []gapLine `json:"largest"`
	}
	gapLine struct {
		After   event.Seq `json:"after"`
		Before  event.Seq `json:"before"`
		ID      string    `json:"id"`
		Missing int64     `json:"missing"`
	}
	cursorLine struct {
		Key      string     `json:"key"`
		Present  bool       `json:"present"`
		Raw      string     `json:"raw"`
		LastSeq  *event.Seq `json:"lastSeq"`
		Filtered bool       `json:"filtered"`
	}
	framesLine struct {
		Trees      int64 `json:"treesUndone"`
		Legacy     int64 `json:"treesUnproven"`
		Signatures int64 `json:"signatures"`
		Unkeyed    int64 `json:"keysUnknown"`
	}
	ruleLine struct {
		Rule     verify.Rule     `json:"rule"`
		Severity verify.Severity `json:"severity"`
		Count    int64           `json:"count"`
	}
)

func (r *verifyReport) summary(sum *audit.Summary, stopped error) summaryLine {
	s := summaryLine{
		V: 1, Kind: "summary", Source: r.name, Verdict: outcomeWord(sum, stopped), Complete: stopped == nil,
		From: known(r.plan.from.Text), To: known(r.plan.to.Text), Covered: coveredLine{len(sum.Lacks) == 0, append([]string{}, sum.Lacks...)}, Entries: sum.Items, Checked: sum.Checked,
		Sample: r.plan.sample, Seed: r.plan.seed, First: lineOf(sum.First), Last: lineOf(sum.Last),
		Kinds: map[string]int64{}, Ops: sum.Ops, Records: sum.Records,
		Gaps:   gapsLine{Count: sum.Gaps.Count, Missing: sum.Gaps.Missing, Largest: []gapLine{}},
		Errors: sum.Errors, Warnings: sum.Warnings, Rules: []ruleLine{},
		Seconds: time.Since(r.plan.startedAt).Round(time.Millisecond).Seconds(),
	}
	if stopped != nil {
		s.Stopped = stopped.Error()
	}
	for kind, n := range sum.Kinds {
		if n > 0 {
			s.Kinds[event.Kind(kind).String()] = n
		}
	}
	for _, g := range sum.Gaps.Largest {
		s.Gaps.Largest = append(s.Gaps.Largest, gapLine{g.After.Seq, g.Before.Seq, g.Before.ID, g.Missing})
	}
	for _, c := range sum.Rules {
		s.Rules = append(s.Rules, ruleLine{c.Rule, c.Severity, c.Count})
	}
	if c := sum.Cursor; c != nil {
		s.Cursor = &cursorLine{c.Key, c.Present, c.After, known(c.Last.Seq), c.Filtered}
	}
	switch r.of {
	case verify.OfCapture:
		s.Frames = &framesLine{sum.Trees, sum.Legacy, sum.Signatures, sum.Unkeyed}
	case verify.OfPair:
		s.Others = &sum.Others
	}
	return s
}

func lineOf(m verify.Mark) markLine { return markLine{known(m.Seq), known(m.ID)} }

// stopHint is what to do about a check that ended early.
func stopHint(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return shell.Typed(hint)
	}
	return "run it again for the rest"
}
