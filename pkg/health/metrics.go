package health

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/fhctl/fhctl/pkg/event"
)

// scrape is what one collection reads: a copied state and the words, whose maps
// stay guarded by Monitor.mu while families read them.
type scrape struct {
	Snapshot
	t           *tally
	rejectFiles RejectFiles
}

// emit sends one value; label is left out for a family without one.
type emit func(value float64, label ...string)

// family is one metric name: how it is described and where its values are.
type family struct {
	name  string
	help  string
	label string // "" for none; several stand side by side, "action collection"
	kind  prometheus.ValueType
	read  func(*scrape, emit)
}

// collector turns a Monitor's state into metrics at scrape time, which keeps
// counting free of any library and every closed label set complete.
type collector struct {
	m        *Monitor
	families []family
	descs    []*prometheus.Desc
}

func newCollector(m *Monitor, families []family) *collector {
	c := &collector{m: m, families: families}
	for _, f := range families {
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, strings.Fields(f.label), nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		out <- desc
	}
}

// Collect implements prometheus.Collector. It gathers under the lock and sends
// after it, so that a slow scraper cannot hold up the pipeline.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, metric := range c.gather() {
		out <- metric
	}
}

func (c *collector) gather() []prometheus.Metric {
	s := &scrape{Snapshot: c.m.Snapshot(), t: &c.m.t}
	if files := c.m.rejectFiles(); files != nil {
		s.rejectFiles = files()
	}
	metrics := make([]prometheus.Metric, 0, 256)
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for i, f := range c.families {
		f.read(s, func(value float64, label ...string) {
			metrics = append(metrics, prometheus.MustNewConstMetric(c.descs[i], f.kind, value, label...))
		})
	}
	return metrics
}

// The metrics that are no family of a Monitor's state.
var (
	appendOpts = prometheus.HistogramOpts{
		Name:    "fhctl_append_seconds",
		Help:    "Time one append to Redis took, per batch.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}
	deliveryOpts = prometheus.HistogramOpts{
		Name:    "fhctl_delivery_seconds",
		Help:    "Time from reading an event on the socket to having it stored; observed once per batch, for its first event.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}
	buildOpts = prometheus.GaugeOpts{
		Name: "fhctl_build_info",
		Help: "Always 1; the labels say what is running.",
	}
)

// register builds the registry. Registering fails only on a duplicate or bad
// name, which the tests would show.
func (m *Monitor) register() {
	m.append = prometheus.NewHistogram(appendOpts)
	m.delivery = prometheus.NewHistogram(deliveryOpts)
	opts := buildOpts
	opts.ConstLabels = prometheus.Labels{"version": m.cfg.Version, "commit": m.cfg.Commit}
	build := prometheus.NewGauge(opts)
	build.Set(1)
	m.registry = prometheus.NewRegistry()
	m.registry.MustRegister(
		m.append, m.delivery, build,
		newCollector(m, allFamilies()),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
}

// Gatherer is the registry, for tests and for embedding in another one.
func (m *Monitor) Gatherer() prometheus.Gatherer { return m.registry }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

func (m *Monitor) rejectFiles() func() RejectFiles {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.t.rejectFiles
}

func opsOf(s *scrape, out emit) {
	for i := range s.Counts.Ops {
		for _, action := range []event.Action{event.Create, event.Update, event.Delete} {
			out(float64(s.Counts.Ops[i][action]), action.String(), event.Collection(i).String())
		}
	}
}

func reasonsOf(s *scrape, op bool, out emit) {
	for i := event.ReasonEmpty; int(i) < event.Reasons; i++ {
		if i.Op() == op {
			out(float64(s.Counts.Rejected[i]), i.String())
		}
	}
}

func wordsOf(w words, out emit) {
	for word, n := range w.n {
		out(float64(n), word)
	}
}
