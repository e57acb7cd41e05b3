package verify

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/audit"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/text"
	"github.com/fhctl/fhctl/pkg/verify"
)

// findingText is a finding in one line.
func findingText(f verify.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-7s  %-16s", f.Severity, f.Rule)
	if f.Seq > 0 {
		fmt.Fprintf(&b, "  seq %d", f.Seq)
	}
	for _, part := range []string{f.ID, f.Where} {
		if part != "" {
			b.WriteString("  " + part)
		}
	}
	if f.Detail != "" {
		b.WriteString(": " + f.Detail)
	}
	return strings.TrimRight(text.Escape(b.String()), " ")
}

// text prints the summary for people.
func (r *verifyReport) text(sum *audit.Summary, stopped error) {
	if len(sum.Rules) > 0 {
		fmt.Fprintln(r.out)
	}
	var t output.Table
	t.Add("source", r.name)
	r.coverage(&t, sum)
	for _, line := range t.Lines("") {
		fmt.Fprintln(r.out, line)
	}
	r.fixes(sum)
	if stopped != nil {
		fmt.Fprintf(r.out, "\nIt ended early, so the rest is unknown: %s\n", text.Escape(stopped.Error()))
	}
	switch {
	case !sum.Clean():
		fmt.Fprintf(r.out, "\n%s, %s.\n", text.Counted(sum.Errors, "error"), text.Counted(sum.Warnings, "warning"))
	case stopped == nil && sum.Warnings > 0:
		fmt.Fprintf(r.out, "\nClean, with %s.\n", text.Counted(sum.Warnings, "warning"))
	case stopped == nil:
		fmt.Fprintf(r.out, "\nClean.\n")
	}
}

// coverage says what was looked at.
func (r *verifyReport) coverage(t *output.Table, sum *audit.Summary) {
	took := text.Span(time.Since(r.plan.startedAt))
	items := map[verify.Source]string{verify.OfStream: "entries", verify.OfCapture: "frames", verify.OfPair: "entries"}[r.of]
	t.Add(items, fmt.Sprintf("%s, from %s to %s, in %s", text.Thousands(sum.Items), where(sum.First), where(sum.Last), took))
	if asked := r.plan.asked(); asked != "" {
		t.Add("range", asked)
		t.Add("covered", coveredText(sum))
	}
	if r.of == verify.OfPair {
		t.Add("the other", text.Thousands(sum.Others)+" entries")
		t.Add("compared", text.Thousands(sum.Checked)+" pairs: type, data and seq")
		return
	}
	t.Add("contents", fmt.Sprintf("%s (%s)", text.Thousands(sum.Checked), r.plan.chosen()))
	var kinds []string
	for kind, n := range sum.Kinds {
		if n > 0 {
			kinds = append(kinds, text.Thousands(n)+" "+event.Kind(kind).String())
		}
	}
	t.Add("kinds", strings.Join(kinds, ", "))
	t.Add("records", fmt.Sprintf("%s of %s ops, each hashed and compared with its cid", text.Thousands(sum.Records), text.Thousands(sum.Ops)))
	if r.of == verify.OfCapture {
		t.Add("trees", fmt.Sprintf("%s undone to prevData, %s lack what that needs", text.Thousands(sum.Trees), text.Thousands(sum.Legacy)))
		t.Add("signatures", r.signatures(sum))
	}
	t.Add("gaps", gapsText(sum.Gaps))
	if r.of == verify.OfStream {
		t.Add("cursor", cursorText(sum.Cursor))
	}
}

// coveredText is whether the range that was asked for is held.
func coveredText(sum *audit.Summary) string {
	if len(sum.Lacks) == 0 {
		return "the whole range"
	}
	return "in part: " + strings.Join(sum.Lacks, "; ")
}

func where(m verify.Mark) string {
	if m.Seq == 0 {
		return m.ID
	}
	return fmt.Sprintf("seq %d (%s)", m.Seq, m.ID)
}

func (r *verifyReport) signatures(sum *audit.Summary) string {
	if r.plan.keys == nil {
		return "not checked: give --did-docs"
	}
	return fmt.Sprintf("%s verified, %s of accounts without a document", text.Thousands(sum.Signatures), text.Thousands(sum.Unkeyed))
}

func gapsText(g verify.Gaps) string {
	if g.Count == 0 {
		return "none"
	}
	var largest []string
	for _, gap := range g.Largest {
		largest = append(largest, fmt.Sprintf("%s behind %d", text.Thousands(gap.Missing), gap.After.Seq))
	}
	return fmt.Sprintf("%s, %s numbers in all; largest: %s", text.Thousands(g.Count), text.Thousands(g.Missing), strings.Join(largest, ", "))
}

func cursorText(c *verify.Cursor) string {
	switch {
	case c == nil:
		return "not compared: the range ends before the stream does"
	case !c.Present:
		return "missing (" + c.Key + ")"
	case c.After == c.Last.Seq.String() && c.Fix != "":
		return c.After + ", the last stored seq (" + c.Key + ", of a replay)"
	case c.After == c.Last.Seq.String():
		return c.After + ", the last stored seq"
	}
	if c.Last.Seq == 0 {
		return c.After + ", and no entry with a seq"
	}
	text := fmt.Sprintf("%s, the last stored seq is %d", c.After, c.Last.Seq)
	switch {
	case c.Explained() && c.Filtered:
		text += "; the writer filters, and notes that it keeps no event between them"
	case c.Explained():
		text += "; the writer notes that no event between them yields an entry"
	case c.Filtered && c.Upto == 0:
		text += "; the writer filters, so it may be ahead"
	}
	return text
}

// fixes says once per rule what to do, and how often it was found.
func (r *verifyReport) fixes(sum *audit.Summary) {
	for i, c := range sum.Rules {
		if i == 0 {
			fmt.Fprintln(r.out, "\nfound")
		}
		fmt.Fprintf(r.out, "  %-16s  %s  %s\n    fix: %s\n", c.Rule, text.Thousands(c.Count), c.Severity, shell.Typed(c.Fix))
	}
}

// The elements of a JUnit file: a rule is a test case.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
		Out      string      `xml:"system-out"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitTrouble `xml:"failure"`
		Error   *junitTrouble `xml:"error"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitTrouble struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit prints the whole report as one file.
func (r *verifyReport) junit(sum *audit.Summary, stopped error) error {
	texts := map[verify.Rule][]string{}
	for _, f := range r.kept {
		texts[f.Rule] = append(texts[f.Rule], findingText(f))
	}
	counts := map[verify.Rule]verify.RuleCount{}
	for _, c := range sum.Rules {
		counts[c.Rule] = c
	}
	suite := junitSuite{Name: "fhctl verify " + text.Escape(r.name), Time: fmt.Sprintf("%.3f", time.Since(r.plan.startedAt).Seconds())}
	for _, info := range verify.Rules() {
		if info.Of&r.of == 0 {
			continue
		}
		suite.add(ruleCase(info, counts[info.ID], texts[info.ID]))
	}
	covered := junitCase{Class: "fhctl.verify", Name: "covered"}
	if stopped != nil {
		covered.Error = &junitTrouble{Message: text.Escape("it ended early: " + stopped.Error()), Type: "unknown", Text: stopHint(stopped)}
	}
	suite.add(covered)
	var t output.Table
	r.coverage(&t, sum)
	suite.Out = strings.Join(t.Lines(""), "\n")
	fmt.Fprint(r.out, xml.Header)
	e := xml.NewEncoder(r.out)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suite: suite}); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	fmt.Fprintln(r.out)
	return nil
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Error != nil {
		s.Errors++
	}
	s.Cases = append(s.Cases, c)
}

// ruleCase is a rule's test case: errors fail it, warnings are told.
func ruleCase(info verify.RuleInfo, count verify.RuleCount, texts []string) junitCase {
	c := junitCase{Class: "fhctl.verify", Name: string(info.ID)}
	if count.Count == 0 {
		return c
	}
	text := strings.Join(append(texts, "fix: "+shell.Typed(count.Fix)), "\n")
	if count.Severity == verify.Warning {
		c.Out = text
		return c
	}
	c.Failure = &junitTrouble{Message: fmt.Sprintf("%d: %s", count.Count, info.Means), Type: string(info.ID), Text: text}
	return c
}
