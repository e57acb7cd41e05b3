package health_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/health"
)

func TestSampleBecomesGauges(t *testing.T) {
	m, c := newMonitor(t)
	store(m, 1)
	c.advance(time.Second)
	m.Sampled(health.Sample{
		Length: 499_000, DeadLetters: 3, UsedMemory: 2 << 30, MaxMemory: 4 << 30, Durable: true,
		Groups: []health.Group{
			{Name: "firehose-processors", Lag: 1234, Pending: 56, Consumers: 10, OldestIdle: 90 * time.Second, Deliveries: 7},
			{Name: "osprey-consumers", Lag: 0},
		},
	})
	requireLines(t, scrape(t, m), []string{
		`fhctl_group_lag_entries{group="firehose-processors"} 1234`, `fhctl_group_lag_entries{group="osprey-consumers"} 0`,
		`fhctl_group_pending_entries{group="firehose-processors"} 56`, `fhctl_group_consumers{group="firehose-processors"} 10`,
		`fhctl_group_oldest_pending_seconds{group="firehose-processors"} 90`, `fhctl_group_max_deliveries{group="firehose-processors"} 7`,
		"fhctl_dead_letter_entries 3", "fhctl_redis_used_memory_bytes 2.147483648e+09", "fhctl_redis_max_memory_bytes 4.294967296e+09",
		`fhctl_trimmed_unread_total{group="osprey-consumers"} 0`, `fhctl_trimmed_pending_total{group="osprey-consumers"} 0`,
		"fhctl_redis_disk_ok 1", "fhctl_stream_length 499000",
	})
	m.SampleFailed(errors.New("refused"))
	requireLines(t, scrape(t, m), []string{"fhctl_sample_failures_total 1", "fhctl_dead_letter_entries 3"})
	c.advance(time.Minute + time.Second)
	for _, name := range []string{"fhctl_group_lag_entries", "fhctl_dead_letter_entries", "fhctl_redis_disk_ok"} {
		if strings.Contains(scrape(t, m), "\n"+name) {
			t.Errorf("%s is shown when it is more than a minute old", name)
		}
	}
}

// Whoever may make groups cannot make labels without end.
func TestGroupLabelsAreBounded(t *testing.T) {
	m, _ := newMonitor(t)
	sample := health.Sample{Durable: true}
	for i := range 500 {
		sample.Groups = append(sample.Groups, health.Group{Name: fmt.Sprintf("g%03d", i), Lag: int64(i)})
	}
	sample.Groups = append(sample.Groups, health.Group{Name: "bad\x1b\xff", Lag: 9999}, health.Group{Name: "other", Lag: 5})
	m.Sampled(sample)
	text := scrape(t, m)
	requireLines(t, text, []string{`fhctl_group_lag_entries{group="g031"} 31`, `fhctl_group_lag_entries{group="other"} 9999`})
	if n := strings.Count(text, "fhctl_group_lag_entries{"); n != 33 {
		t.Errorf("%d labels, want 32 and other", n)
	}
}

// Each partition has its own cursor and length, under a number that is bounded; one
// stream has none.
func TestPartitionsBecomeGauges(t *testing.T) {
	m, _ := newMonitor(t)
	m.Sampled(health.Sample{Durable: true})
	if strings.Contains(scrape(t, m), "fhctl_partition_") {
		t.Error("one stream is shown as a partition")
	}
	sample := health.Sample{Durable: true, Partitions: []health.Partition{{Length: 5, Cursor: 700, Begun: true}, {Length: 0}}}
	m.Sampled(sample)
	text := scrape(t, m)
	requireLines(t, text, []string{
		`fhctl_partition_cursor_seq{partition="0"} 700`, `fhctl_partition_stream_length{partition="0"} 5`, `fhctl_partition_stream_length{partition="1"} 0`,
	})
	if strings.Contains(text, `fhctl_partition_cursor_seq{partition="1"}`) {
		t.Error("a partition without a cursor shows one")
	}
	sample.Partitions = make([]health.Partition, 500)
	m.Sampled(sample)
	if n := strings.Count(scrape(t, m), "fhctl_partition_stream_length{"); n != 64 {
		t.Errorf("%d labels, want 64", n)
	}
}

func TestRejectFilesAreCounted(t *testing.T) {
	m, _ := newMonitor(t)
	m.SetRejectFiles(func() health.RejectFiles {
		return health.RejectFiles{Kept: 1, Unkept: 2, Repeated: 3, Suppressed: 4, Failed: 5, Evicted: 6, Bytes: 7}
	})
	requireLines(t, scrape(t, m), []string{
		`fhctl_reject_files_total{outcome="kept"} 1`, `fhctl_reject_files_total{outcome="too_large"} 2`,
		`fhctl_reject_files_total{outcome="repeated"} 3`, `fhctl_reject_files_total{outcome="suppressed"} 4`,
		`fhctl_reject_files_total{outcome="failed"} 5`, `fhctl_reject_files_total{outcome="evicted"} 6`, "fhctl_reject_files_bytes 7",
	})
}
