package health

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

const referenceHead = `# Metrics

The daemon serves these at ` + "`http://127.0.0.1:9477/metrics`" + ` in Prometheus' text
format. This page is generated from the code; what its words mean is in the
[glossary](glossary.md).

Names carry their unit, counters end in ` + "`_total`" + `. Every label comes from a fixed
list, or is a partition's number, or a consumer group's name, of which at most 32 are
shown; whatever else there is counts as ` + "`other`" + `. So no record, handle, relay or
client can add a label.
Labels of a fixed list exist at 0 from the start, so that an alert sees the first
increase. A gauge whose value is unknown is absent rather than 0.

[deploy/alerts.yaml](deploy/alerts.yaml) and [deploy/grafana-dashboard.json](deploy/grafana-dashboard.json)
use them, and are tested against this list; [runbook.md](runbook.md) says what to do
about each alert. What a timer finds is looked up every 10 s, never per batch.
`

const referenceTail = `
## The process

The Go runtime (` + "`go_*`" + `: goroutines, memory, garbage collection, ` + "`go_info`" + ` with the Go
version) and, on Linux, the process (` + "`process_*`" + `: CPU seconds, resident memory,
open files, start time) under the names of Prometheus' Go client.
`

// section is a part of the reference page.
type section struct {
	title    string
	families []family
}

func sections() []section {
	return []section{
		{"What flows through", flowFamilies()},
		{"Relay, Redis and the cursor", endFamilies()},
		{"Writers other than fhctl", foreignFamilies()},
		{"What a timer finds in Redis", sampleFamilies()},
	}
}

func allFamilies() (all []family) {
	for _, s := range sections() {
		all = append(all, s.families...)
	}
	return all
}

// WriteReference writes the page of all metrics, in Markdown, with the words
// that cfg's causes can be.
func WriteReference(w io.Writer, cfg Config) error {
	values, err := New(cfg).labelValues()
	if err != nil {
		return err
	}
	var page strings.Builder
	page.WriteString(referenceHead)
	for _, s := range sections() {
		fmt.Fprintf(&page, "\n## %s\n\n| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n", s.title)
		for _, f := range s.families {
			kind := map[prometheus.ValueType]string{counter: "counter", gauge: "gauge"}[f.kind]
			row(&page, f.name, kind, strings.Fields(f.label), f.help)
		}
	}
	page.WriteString("\n## Durations and build\n\n| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n")
	for _, own := range []prometheus.HistogramOpts{appendOpts, deliveryOpts} {
		row(&page, own.Name, "histogram", nil, own.Help)
	}
	row(&page, buildOpts.Name, "gauge", []string{"version", "commit"}, buildOpts.Help)
	writeLabels(&page, values)
	page.WriteString(referenceTail)
	_, err = io.WriteString(w, page.String())
	return err
}

func row(page *strings.Builder, name, kind string, labels []string, help string) {
	if len(labels) > 0 {
		labels = []string{"`" + strings.Join(labels, "`, `") + "`"}
	}
	fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", name, kind, strings.Join(labels, ""), help)
}

// labelled is a label of one metric.
type labelled struct{ name, label string }

// labelValues is which values the closed labels have.
func (m *Monitor) labelValues() (map[labelled][]string, error) {
	found, err := m.registry.Gather()
	values := map[labelled][]string{}
	for _, metrics := range found {
		if !strings.HasPrefix(metrics.GetName(), "fhctl_") || metrics.GetName() == buildOpts.Name {
			continue
		}
		for _, metric := range metrics.Metric {
			for _, l := range metric.Label {
				key := labelled{metrics.GetName(), l.GetName()}
				if !slices.Contains(values[key], l.GetValue()) {
					values[key] = append(values[key], l.GetValue())
				}
			}
		}
	}
	return values, err
}

func writeLabels(page *strings.Builder, values map[labelled][]string) {
	page.WriteString("\n## Labels\n\n| Metric | Label | Values |\n| --- | --- | --- |\n")
	for _, f := range allFamilies() {
		for _, label := range strings.Fields(f.label) {
			list := values[labelled{f.name, label}]
			slices.Sort(list)
			text := "`" + strings.Join(list, "` `") + "`"
			switch label {
			case "group":
				text = "the consumer groups' names, else `other`"
			case "partition":
				text = fmt.Sprintf("`0` to `%d`: the partition's number", mostPartitions-1)
			}
			fmt.Fprintf(page, "| `%s` | `%s` | %s |\n", f.name, label, text)
		}
	}
}
