package health_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
)

var _ event.Observer = (*health.Monitor)(nil)

// clock is a time that moves only when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 7, 4, 12, 0, 0, 0, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newMonitor(t *testing.T) (*health.Monitor, *clock) {
	t.Helper()
	c := newClock()
	return health.New(health.Config{
		Version: "1.2.3", Commit: "abc", IdleTimeout: time.Minute, Now: c.Now,
		RelayCauses: []string{"eof", "dial_refused"}, StoreCauses: []string{"oom"},
	}), c
}

func up() event.Link {
	return event.Link{State: event.LinkUp, URL: "wss://relay.example", From: event.AfterSeq(7000000122), Attempt: 1}
}

func store(m *health.Monitor, seq event.Seq) {
	m.Stored(&event.Batch{Upto: seq, Time: []byte("2026-07-04T11:59:58.5Z")}, event.Receipt{Appended: 2, Present: 1, Cursor: seq, Length: 500123, Took: time.Millisecond})
}

func TestReasonsFollowTheFlow(t *testing.T) {
	m, c := newMonitor(t)
	steps := []struct {
		what string
		do   func()
		want health.Reason
	}{
		{"nothing yet", func() {}, health.Starting},
		{"first dial", func() { m.Link(event.Link{State: event.LinkDialing, Attempt: 1}) }, health.Starting},
		{"dial fails", func() { m.Link(event.Link{State: event.LinkDown, Err: errors.New("refused"), Cause: "dial_refused"}) }, health.RelayDown},
		{"second dial", func() { m.Link(event.Link{State: event.LinkDialing, Attempt: 2}) }, health.RelayDown},
		{"connected", func() { m.Link(up()) }, health.Starting},
		{"stored", func() { store(m, 1) }, health.Ready},
		{"a minute later", func() { c.advance(time.Minute) }, health.Ready},
		{"more than a minute later", func() { c.advance(time.Second) }, health.Idle},
		{"only the watermark moves", func() { m.Stored(&event.Batch{Upto: 2}, event.Receipt{Cursor: 2, Length: -1}) }, health.Ready},
		{"Redis down", func() { m.Store(event.Store{Err: errors.New("OOM"), Cause: "oom"}) }, health.StoreDown},
		{"a late acknowledgement changes nothing", func() { store(m, 3) }, health.StoreDown},
		{"Redis up", func() { m.Store(event.Store{Up: true}) }, health.Ready},
		{"relay lost", func() { m.Link(event.Link{State: event.LinkDown, Cause: "eof"}) }, health.RelayDown},
		{"held", func() { m.Link(event.Link{State: event.LinkHeld, Cause: event.AlarmReset.String()}) }, health.RelayHeld},
		{"the last batch before the hold lands", func() { store(m, 4) }, health.RelayHeld},
		{"asking the relay again", func() { m.Link(up()) }, health.RelayHeld},
		{"the relay was repaired", func() { store(m, 5) }, health.Ready},
		{"stopping", func() { m.Stopping() }, health.Stopping},
	}
	for _, step := range steps {
		step.do()
		if got := m.Snapshot(); got.Reason != step.want || got.Detail == "" {
			t.Fatalf("%s: reason %q (%s), want %q", step.what, got.Reason, got.Detail, step.want)
		}
	}
}

func TestIdleCountsFromConnectingWhenNothingWasStored(t *testing.T) {
	m, c := newMonitor(t)
	c.advance(time.Hour)
	m.Link(up())
	if got := m.Snapshot().Reason; got != health.Starting {
		t.Errorf("just connected: %s", got)
	}
	c.advance(time.Minute + time.Second)
	if got := m.Snapshot().Reason; got != health.Idle {
		t.Errorf("a minute later: %s", got)
	}
}

func TestIdleTimeoutZeroIsOff(t *testing.T) {
	c := newClock()
	m := health.New(health.Config{Now: c.Now})
	m.Link(up())
	store(m, 1)
	c.advance(1000 * time.Hour)
	if got := m.Snapshot().Reason; got != health.Ready {
		t.Errorf("reason %s", got)
	}
}

func TestHeldNamesTheAlarm(t *testing.T) {
	m, _ := newMonitor(t)
	for _, alarm := range []event.Alarm{event.AlarmReset, event.AlarmFuture} {
		m.Link(event.Link{State: event.LinkHeld, Cause: alarm.String(), Err: errors.New("first event is 5")})
		if got := m.Snapshot(); got.Alarm != alarm.String() || !strings.Contains(got.Detail, alarm.String()) {
			t.Errorf("%s: alarm %q, detail %q", alarm, got.Alarm, got.Detail)
		}
	}
	m.Alarm(event.AlarmFuture, 5, "ahead")
	m.Link(event.Link{State: event.LinkHeld, Cause: "waiting"})
	if got := m.Snapshot().Alarm; got != "future_cursor" {
		t.Errorf("without its name in the cause: %q", got)
	}
}

func TestSnapshotMeasuresLagFromTheInformalTime(t *testing.T) {
	for sent, want := range map[string]time.Duration{
		"2026-07-04T11:59:58.5Z":           1500 * time.Millisecond,
		"2026-07-04T11:59:58.5000001":      1500*time.Millisecond - 100,
		"2026-07-04T13:59:58+02:00":        2 * time.Second,
		"2026-07-04T12:00:01Z":             -time.Second,
		"yesterday":                        0,
		"1970-01-01T00:00:00Z":             0, // E6: no event is of these years, and none of tomorrow
		"0001-01-01T00:00:00Z":             0,
		"2262-04-11T23:47:16Z":             0,
		"9999-12-31T23:59:59Z":             0,
		"2026-07-05T12:00:00Z":             0,
		strings.Repeat("2026-07-04T11", 9): 0,
	} {
		m, _ := newMonitor(t)
		m.Stored(&event.Batch{Time: []byte(sent)}, event.Receipt{Cursor: 1})
		if got := m.Snapshot(); got.Lag != want || (want == 0) != got.LastTime.IsZero() {
			t.Errorf("%.30s: lag %s, want %s", sent, got.Lag, want)
		}
	}
}

func TestMetricsLint(t *testing.T) {
	m, _ := newMonitor(t)
	m.Link(up())
	store(m, 1)
	problems, err := testutil.GatherAndLint(m.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// G7: a closed set's labels exist before anything happens, so that an alert on
// an increase sees the first one.
func TestG7ClosedLabelSetsStartAtZero(t *testing.T) {
	m, _ := newMonitor(t)
	text := scrape(t, m)
	want := []string{
		"fhctl_frames_total 0", "fhctl_frame_bytes_total 0", "fhctl_filtered_total 0", "fhctl_repeats_total 0",
		"fhctl_seq_gaps_total 0", "fhctl_seq_skipped_total 0", "fhctl_relay_connected 0", "fhctl_relay_connects_total 0",
		"fhctl_relay_held 0", "fhctl_ready 0", "fhctl_store_up 0", "fhctl_batches_total 0",
		"fhctl_entries_appended_total 0", "fhctl_entries_present_total 0",
		"fhctl_append_seconds_count 0", "fhctl_delivery_seconds_count 0", "fhctl_queue_events 0", "fhctl_queue_bytes 0",
		`fhctl_relay_disconnects_total{cause="eof"} 0`, `fhctl_relay_dial_failures_total{cause="dial_refused"} 0`,
		`fhctl_store_failures_total{cause="oom"} 0`, `fhctl_store_failures_total{cause="other"} 0`,
		`fhctl_trimmed_unread_total{group="other"} 0`, `fhctl_trimmed_pending_total{group="other"} 0`,
		`fhctl_build_info{commit="abc",version="1.2.3"} 1`,
		"fhctl_sample_failures_total 0", "fhctl_reject_files_bytes 0",
	}
	for c := range event.Collections {
		for _, a := range []event.Action{event.Create, event.Update, event.Delete} {
			want = append(want, fmt.Sprintf(`fhctl_ops_total{action=%q,collection=%q} 0`, a, event.Collection(c)))
		}
	}
	for _, outcome := range []string{"kept", "too_large", "repeated", "suppressed", "failed", "evicted"} {
		want = append(want, fmt.Sprintf(`fhctl_reject_files_total{outcome=%q} 0`, outcome))
	}
	for k := range event.Kinds {
		want = append(want, fmt.Sprintf(`fhctl_events_total{kind=%q} 0`, event.Kind(k)))
	}
	for f := range event.FlagKinds {
		want = append(want, fmt.Sprintf(`fhctl_tolerated_total{flag=%q} 0`, event.Flag(f)))
	}
	for a := range event.Alarms {
		want = append(want, fmt.Sprintf(`fhctl_alarms_total{alarm=%q} 0`, event.Alarm(a)))
	}
	for r := event.ReasonEmpty; int(r) < event.Reasons; r++ {
		name := "fhctl_rejected_total"
		if r.Op() {
			name = "fhctl_ops_skipped_total"
		}
		want = append(want, fmt.Sprintf(`%s{reason=%q} 0`, name, r))
	}
	requireLines(t, text, want)
	for _, name := range []string{"fhctl_cursor_seq", "fhctl_relay_lag_seconds", "fhctl_stream_length", "fhctl_last_stored_timestamp_seconds",
		"fhctl_last_seq", "fhctl_dead_letter_entries", "fhctl_redis_used_memory_bytes", "fhctl_redis_max_memory_bytes", "fhctl_redis_disk_ok"} {
		if strings.Contains(text, "\n"+name+" ") {
			t.Errorf("%s is there before its value is known", name)
		}
	}
	if !strings.Contains(text, "go_goroutines ") || !strings.Contains(text, "process_resident_memory_bytes ") {
		t.Error("the runtime's own metrics are missing")
	}
}

func TestMetricsCountWhatWasObserved(t *testing.T) {
	m, c := newMonitor(t)
	counts := event.Counts{Frames: 10, Bytes: 5000, Filtered: 1, Repeats: 2, Gaps: 3, Skipped: 30}
	counts.Events[event.KindCommit] = 7
	counts.Ops[event.CollectionOf([]byte("app.bsky.feed.like"))][event.Delete] = 4
	counts.Ops[event.CollectionOf([]byte("com.example.stranger"))][event.Create] = 1
	counts.Last = 7000000123
	counts.Rejected[event.ReasonCAR] = 5
	counts.Rejected[event.ReasonBlockMissing] = 6
	counts.Flags[event.FlagRoot] = 8
	m.Counted(&counts)
	m.Counted(&counts)
	m.Link(up())
	m.Link(event.Link{State: event.LinkDown, Cause: "eof"})
	m.Link(event.Link{State: event.LinkDialing})
	m.Link(event.Link{State: event.LinkDown, Cause: "dial_refused"})
	m.Link(up())
	m.Store(event.Store{Cause: "oom"})
	m.Store(event.Store{Cause: "oom"})
	m.Store(event.Store{Up: true})
	m.Alarm(event.AlarmRollback, 5, "went back")
	m.SetQueue(func() (int64, int64) { return 12, 3456 })
	m.Stored(&event.Batch{Arrived: c.Now(), Time: []byte("2026-07-04T11:59:58Z")}, event.Receipt{
		Appended: 400, Present: 3, Cursor: event.MaxSeq, Length: 500123, Took: 2 * time.Second,
		Trimmed: []event.Trim{{Group: "firehose-processors", Unread: 20, Pending: 4}},
	})
	m.Rejected(&event.Reject{Reason: event.ReasonCAR}, nil) // counted above already
	requireLines(t, scrape(t, m), []string{
		"fhctl_frames_total 20", "fhctl_frame_bytes_total 10000", "fhctl_filtered_total 2", "fhctl_repeats_total 4",
		"fhctl_seq_gaps_total 6", "fhctl_seq_skipped_total 60", `fhctl_events_total{kind="commit"} 14`,
		`fhctl_ops_total{action="delete",collection="app.bsky.feed.like"} 8`, `fhctl_ops_total{action="create",collection="other"} 2`, "fhctl_last_seq 7.000000123e+09", `fhctl_rejected_total{reason="car"} 10`,
		`fhctl_ops_skipped_total{reason="block_missing"} 12`, `fhctl_tolerated_total{flag="car_root_mismatch"} 16`,
		"fhctl_relay_connected 1", "fhctl_relay_connects_total 2", `fhctl_relay_disconnects_total{cause="eof"} 1`,
		`fhctl_relay_dial_failures_total{cause="dial_refused"} 1`, `fhctl_store_failures_total{cause="oom"} 2`,
		"fhctl_store_up 1", `fhctl_alarms_total{alarm="redis_rollback"} 1`, "fhctl_queue_events 12", "fhctl_queue_bytes 3456",
		"fhctl_batches_total 1", "fhctl_entries_appended_total 400", "fhctl_entries_present_total 3",
		"fhctl_cursor_seq 9.007199254740991e+15", "fhctl_relay_lag_seconds 2", "fhctl_stream_length 500123",
		`fhctl_append_seconds_bucket{le="2.5"} 1`, "fhctl_append_seconds_sum 2", "fhctl_delivery_seconds_count 1",
		`fhctl_trimmed_unread_total{group="firehose-processors"} 20`, `fhctl_trimmed_pending_total{group="firehose-processors"} 4`,
		"fhctl_ready 1", "fhctl_last_stored_timestamp_seconds 1.7831664e+09",
	})
}

// Labels are bounded: a word too many, or one that is no word, is "other".
func TestLabelsAreBounded(t *testing.T) {
	m, _ := newMonitor(t)
	var trims []event.Trim
	for i := range 100 {
		trims = append(trims, event.Trim{Group: fmt.Sprintf("group-%d", i), Unread: 1})
	}
	for _, bad := range []string{"", "with space", "bad\xffutf8", "\x1b[31m", strings.Repeat("g", 65)} {
		trims = append(trims, event.Trim{Group: bad, Unread: 1})
	}
	m.Stored(&event.Batch{}, event.Receipt{Cursor: 1, Trimmed: trims})
	m.Stored(&event.Batch{}, event.Receipt{Cursor: 1, Trimmed: trims[:1]})
	text := scrape(t, m)
	requireLines(t, text, []string{
		`fhctl_trimmed_unread_total{group="group-0"} 2`, `fhctl_trimmed_unread_total{group="group-31"} 1`,
		`fhctl_trimmed_unread_total{group="other"} 73`,
	})
	if n := strings.Count(text, "fhctl_trimmed_unread_total{"); n != 33 {
		t.Errorf("%d label values, want 32 and other", n)
	}
}

func TestObservingAllocatesNothing(t *testing.T) {
	m, _ := newMonitor(t)
	counts := &event.Counts{Frames: 1}
	batch := &event.Batch{Time: []byte("2026-07-04T11:59:58Z"), Arrived: time.Now()}
	receipt := event.Receipt{Appended: 1, Cursor: 1}
	m.Stored(batch, receipt)
	if n := testing.AllocsPerRun(100, func() { m.Counted(counts); m.Stored(batch, receipt) }); n != 0 {
		t.Errorf("%v allocations per chunk and batch", n)
	}
}

// Every method at once, for the race detector.
func TestMonitorIsSafeForConcurrentUse(t *testing.T) {
	m, _ := newMonitor(t)
	var wg sync.WaitGroup
	for _, do := range []func(){
		func() { m.Counted(&event.Counts{Frames: 1}) },
		func() { store(m, 1) },
		func() { m.Link(up()) },
		func() { m.Store(event.Store{Up: true}) },
		func() { m.Alarm(event.AlarmWindow, 1, "x") },
		func() { m.SetQueue(func() (int64, int64) { return 1, 2 }) },
		func() { m.Report() },
		func() { _, _ = m.Gatherer().Gather() },
	} {
		wg.Go(func() {
			for range 50 {
				do()
			}
		})
	}
	wg.Wait()
	if got := m.Snapshot(); got.Counts.Frames != 50 || got.Batches != 50 {
		t.Errorf("counted %d frames and %d batches", got.Counts.Frames, got.Batches)
	}
}
