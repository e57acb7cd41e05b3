package health_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
)

// exposed is every metric of a monitor that has seen everything, with the values
// of its labels.
type exposed map[string]map[string][]string

func everything(t *testing.T) exposed {
	t.Helper()
	c := newClock()
	m := health.New(health.Config{
		Version: "1", Commit: "c", Now: c.Now,
		RelayCauses: []string{"eof", "idle"}, StoreCauses: []string{"oom", "full"},
	})
	flow(m, c)
	m.Store(event.Store{Err: errors.New("OOM"), Cause: "oom"})
	m.Sampled(sampleOf(2, "group"))
	found, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := exposed{}
	for _, family := range found {
		labels := map[string][]string{"job": nil, "instance": nil}
		for _, metric := range family.Metric {
			for _, l := range metric.Label {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
		}
		names := []string{family.GetName()}
		if strings.HasSuffix(family.GetName(), "_seconds") && family.Metric[0].GetHistogram() != nil || family.Metric[0].GetSummary() != nil {
			names = []string{family.GetName() + "_sum", family.GetName() + "_count", family.GetName() + "_bucket"}
			labels["le"] = nil
		}
		for _, name := range names {
			all[name] = labels
		}
	}
	all["up"] = map[string][]string{"job": nil, "instance": nil} // Prometheus' own
	return all
}

// check reports names of an expression that nothing exposes.
func (all exposed) check(t *testing.T, where, expression string) {
	t.Helper()
	q := parsePromQL(expression)
	if len(q.metrics) == 0 {
		t.Errorf("%s: names no metric: %s", where, expression)
	}
	known := map[string]bool{}
	for name := range q.metrics {
		labels, ok := all[name]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, name)
		}
		for label := range labels {
			known[label] = true
		}
	}
	for label := range q.labels {
		if !known[label] {
			t.Errorf("%s: no metric of %s has a label %s", where, expression, label)
		}
	}
	for _, m := range q.matchers {
		values, closed := all[m.metric][m.label]
		if !closed {
			t.Errorf("%s: %s has no label %s", where, m.metric, m.label)
		}
		if len(values) > 0 && (m.operator == "=" || m.operator == "!=") && !slices.Contains(values, m.value) {
			t.Errorf("%s: %s of %s is never %q", where, m.label, m.metric, m.value)
		}
	}
}

func page(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "docs"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rule is one alert of alerts.yaml, whose lines are kept simple.
type rule struct{ name, expr, runbook, summary, severity string }

func alertRules(t *testing.T) (rules []rule) {
	t.Helper()
	for line := range strings.Lines(page(t, "deploy", "alerts.yaml")) {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "- ")), ": ")
		if quoted, ok := strings.CutPrefix(value, "'"); ok {
			value = strings.ReplaceAll(strings.TrimSuffix(quoted, "'"), "''", "'")
		}
		if name == "alert" {
			rules = append(rules, rule{name: value})
		}
		if len(rules) == 0 {
			continue
		}
		last := &rules[len(rules)-1]
		for key, field := range map[string]*string{"expr": &last.expr, "runbook_url": &last.runbook, "summary": &last.summary, "severity": &last.severity} {
			if name == key {
				*field = value
			}
		}
	}
	return rules
}

// Issue 6.1: alert rules, each with a runbook paragraph, tested against the
// metric names that the code really has.
func TestAlertsNameWhatIsExposed(t *testing.T) {
	all, anchors := everything(t), anchorsOf(page(t, "runbook.md"))
	seen := map[string]bool{}
	for _, r := range alertRules(t) {
		all.check(t, r.name, r.expr)
		if seen[r.name] || !strings.HasPrefix(r.name, "Fhctl") || r.summary == "" || r.severity != "critical" && r.severity != "warning" {
			t.Errorf("%+v", r)
		}
		seen[r.name] = true
		anchor, ok := strings.CutPrefix(r.runbook, "https://github.com/fhctl/fhctl/blob/main/docs/runbook.md#")
		if !ok || !anchors[anchor] {
			t.Errorf("%s: %s is not in the runbook", r.name, r.runbook)
		}
		if !strings.Contains(page(t, "runbook.md"), "`"+r.name+"`") {
			t.Errorf("%s is not mentioned in the runbook", r.name)
		}
	}
	if len(seen) < 30 {
		t.Errorf("only %d rules were read", len(seen))
	}
}

// G7: every alarm there is has an alert and is named in the runbook, and so is
// every reason of /readyz.
func TestEveryAlarmHasAnAlert(t *testing.T) {
	rules, runbook := alertRules(t), page(t, "runbook.md")
	for a := range event.Alarms {
		name := event.Alarm(a).String()
		told := slices.ContainsFunc(rules, func(r rule) bool { return strings.Contains(r.expr, `"`+name+`"`) })
		if !told && name != event.AlarmTrimmed.String() {
			t.Errorf("no alert tells of the alarm %s", name)
		}
		if !strings.Contains(runbook, "`"+name+"`") {
			t.Errorf("the runbook does not name the alarm %s", name)
		}
	}
	for _, reason := range []health.Reason{health.Stopping, health.RelayHeld, health.StoreDown, health.StreamFull, health.RelayDown, health.Standby, health.Starting, health.Idle, health.Ready} {
		if !strings.Contains(runbook, "`"+string(reason)+"`") {
			t.Errorf("the runbook does not name the reason %s", reason)
		}
	}
}

var heading = regexp.MustCompile(`(?m)^#+ (.+)$`)

// anchorsOf makes the names that a Markdown page's headings can be linked by.
func anchorsOf(text string) map[string]bool {
	anchors := map[string]bool{}
	for _, found := range heading.FindAllStringSubmatch(text, -1) {
		anchor := strings.ToLower(found[1])
		anchor = regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(anchor, "")
		anchors[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	return anchors
}

// What the status page points to is there.
func TestPageHelpIsInTheRunbook(t *testing.T) {
	anchors := anchorsOf(page(t, "runbook.md"))
	for name, stage := range stages {
		m, c := newMonitor(t)
		stage.do(m, c)
		v := m.View()
		if anchor, ok := strings.CutPrefix(v.Help, "docs/runbook.md#"); v.Help != "" && (!ok || !anchors[anchor]) {
			t.Errorf("%s: %s is not in the runbook", name, v.Help)
		}
		if v.Tone == "bad" && v.Help == "" {
			t.Errorf("%s: no help", name)
		}
	}
}

// panel is what is checked of a dashboard's panel.
type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ Expr string }
}

// Issue 6.1: a Grafana dashboard, tested against the metric names that the code
// really has; every metric of ours is on it.
func TestDashboardNamesWhatIsExposed(t *testing.T) {
	var board struct {
		Title       string
		UID         string
		Panels      []panel
		Templating  struct{ List []struct{ Name string } }
		Annotations struct{ List []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(page(t, "deploy", "grafana-dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	all, used, ids := everything(t), map[string]bool{}, map[int]bool{}
	for i, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %d %q", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			all.check(t, p.Title, target.Expr)
			for name := range parsePromQL(target.Expr).metrics {
				used[name] = true
			}
		}
		for _, q := range board.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H || a.X+a.W > 24 {
				t.Errorf("%q covers %q", p.Title, q.Title)
			}
		}
	}
	for _, a := range board.Annotations.List {
		all.check(t, "annotations", a.Expr)
	}
	for name := range all {
		if strings.HasPrefix(name, "fhctl_") && !used[name] && !strings.HasSuffix(name, "_count") && !strings.HasSuffix(name, "_sum") && name != "fhctl_last_stored_timestamp_seconds" {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	if len(board.Panels) < 30 || board.UID == "" {
		t.Errorf("%d panels, uid %q", len(board.Panels), board.UID)
	}
}
