package health

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/fhctl/fhctl/pkg/event"
)

// scrape is what one collection reads: a copied state and the words, whose maps
// stay guarded by Monitor.mu while families read them.
type scrape struct {
	Snapshot
	t *tally
}

// emit sends one value; label is left out for a family without one.
type emit func(value float64, label ...string)

// family is one metric name: how it is described and where its values are.
type family struct {
	name  string
	help  string
	label string // "" for none
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
		var labels []string
		if f.label != "" {
			labels = []string{f.label}
		}
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, labels, nil))
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
// after it, so that a slow scraper cannot hold up the river.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, metric := range c.gather() {
		out <- metric
	}
}

func (c *collector) gather() []prometheus.Metric {
	s := &scrape{Snapshot: c.m.Snapshot(), t: &c.m.t}
	metrics := make([]prometheus.Metric, 0, 128)
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for i, f := range c.families {
		f.read(s, func(value float64, label ...string) {
			metrics = append(metrics, prometheus.MustNewConstMetric(c.descs[i], f.kind, value, label...))
		})
	}
	return metrics
}

// register builds the registry. Registering fails only on a duplicate or bad
// name, which the tests would show.
func (m *Monitor) register() {
	m.append = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "fhctl_append_seconds",
		Help:    "Time one append to Redis took, per batch.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	})
	m.delivery = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "fhctl_delivery_seconds",
		Help:    "Time from reading an event on the socket to having it stored; observed once per batch, for its first event.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "fhctl_build_info",
		Help:        "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": m.cfg.Version, "commit": m.cfg.Commit},
	})
	build.Set(1)
	m.registry = prometheus.NewRegistry()
	m.registry.MustRegister(
		m.append, m.delivery, build,
		newCollector(m, append(flowFamilies(), endFamilies()...)),
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
