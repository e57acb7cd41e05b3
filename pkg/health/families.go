package health

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fhctl/fhctl/pkg/event"
)

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

// single is a family without a label.
func single(name string, kind prometheus.ValueType, help string, read func(*scrape) float64) family {
	return family{name: name, help: help, kind: kind, read: func(s *scrape, out emit) { out(read(s)) }}
}

// known is a gauge that is absent while its value is unknown.
func known(name, help string, read func(*scrape) (float64, bool)) family {
	return family{name: name, help: help, kind: gauge, read: func(s *scrape, out emit) {
		if v, ok := read(s); ok {
			out(v)
		}
	}}
}

// flowFamilies count what passes through the pipeline.
func flowFamilies() []family {
	return []family{
		single("fhctl_frames_total", counter, "WebSocket messages that passed in order.",
			func(s *scrape) float64 { return float64(s.Counts.Frames) }),
		single("fhctl_frame_bytes_total", counter, "Bytes of those messages, as received.",
			func(s *scrape) float64 { return float64(s.Counts.Bytes) }),
		{name: "fhctl_events_total", kind: counter, label: "kind", help: "Events decoded, by kind.",
			read: func(s *scrape, out emit) {
				for i, n := range s.Counts.Events {
					out(float64(n), event.Kind(i).String())
				}
			}},
		{name: "fhctl_ops_total", kind: counter, label: "action collection", help: "Record operations delivered, by action and by collection; collections outside a fixed list are other.",
			read: opsOf},
		{name: "fhctl_rejected_total", kind: counter, label: "reason", help: "Frames that yielded no event, by reason.",
			read: func(s *scrape, out emit) { reasonsOf(s, false, out) }},
		{name: "fhctl_ops_skipped_total", kind: counter, label: "reason", help: "Record operations not delivered while their siblings were, by reason.",
			read: func(s *scrape, out emit) { reasonsOf(s, true, out) }},
		{name: "fhctl_tolerated_total", kind: counter, label: "flag", help: "Events delivered in spite of an oddity, by oddity.",
			read: func(s *scrape, out emit) {
				for i, n := range s.Counts.Flags {
					out(float64(n), event.Flag(i).String())
				}
			}},
		single("fhctl_filtered_total", counter, "Events that no filter wanted.",
			func(s *scrape) float64 { return float64(s.Counts.Filtered) }),
		single("fhctl_repeats_total", counter, "Events dropped because their seq was not above the last one.",
			func(s *scrape) float64 { return float64(s.Counts.Repeats) }),
		single("fhctl_seq_gaps_total", counter, "Times the relay's seq skipped numbers, which is legal.",
			func(s *scrape) float64 { return float64(s.Counts.Gaps) }),
		single("fhctl_seq_skipped_total", counter, "Sequence numbers skipped in those gaps.",
			func(s *scrape) float64 { return float64(s.Counts.Skipped) }),
		known("fhctl_last_seq", "Sequence number of the last event read; the cursor follows it. Absent before the first.",
			func(s *scrape) (float64, bool) { return float64(s.Counts.Last), s.Counts.Last > 0 }),
		single("fhctl_queue_events", gauge, "Events read but not yet stored.",
			func(s *scrape) float64 { return float64(s.QueueEvents) }),
		single("fhctl_queue_bytes", gauge, "Bytes held by those events.",
			func(s *scrape) float64 { return float64(s.QueueBytes) }),
		{name: "fhctl_alarms_total", kind: counter, label: "alarm", help: "Conditions an operator must know of, by name.",
			read: func(s *scrape, out emit) {
				for i, n := range s.t.alarms {
					out(float64(n), event.Alarm(i).String())
				}
			}},
	}
}

// endFamilies describe the relay, Redis and the cursor between them.
func endFamilies() []family {
	return []family{
		single("fhctl_ready", gauge, "1 when /readyz answers 200.",
			func(s *scrape) float64 { return truth(s.Able()) }),
		single("fhctl_leader", gauge, "1 while this process stores; 0 while another does, or before Redis was asked.",
			func(s *scrape) float64 { return truth(s.Role.Leading) }),
		single("fhctl_relay_connected", gauge, "1 while connected to the relay.",
			func(s *scrape) float64 { return truth(s.Link.State == event.LinkUp) }),
		single("fhctl_relay_held", gauge, "1 while reading waits for an operator.",
			func(s *scrape) float64 { return truth(s.t.held != "") }),
		single("fhctl_relay_connects_total", counter, "Connections made to the relay.",
			func(s *scrape) float64 { return float64(s.Connects) }),
		{name: "fhctl_relay_disconnects_total", kind: counter, label: "cause", help: "Relay connections that ended, by cause.",
			read: func(s *scrape, out emit) { wordsOf(s.t.disconnects, out) }},
		{name: "fhctl_relay_dial_failures_total", kind: counter, label: "cause", help: "Relay connections that could not be made, by cause.",
			read: func(s *scrape, out emit) { wordsOf(s.t.dialFails, out) }},
		single("fhctl_store_up", gauge, "1 while Redis takes batches.",
			func(s *scrape) float64 { return truth(s.Store.Up) }),
		{name: "fhctl_store_failures_total", kind: counter, label: "cause", help: "Failed tries to store a batch, by cause.",
			read: func(s *scrape, out emit) { wordsOf(s.t.storeFails, out) }},
		single("fhctl_stream_full", gauge, "1 while nothing is stored because readers have not finished what the stream may hold.",
			func(s *scrape) float64 { return truth(s.t.full()) }),
		known("fhctl_spill_bytes", "Bytes of frames that wait on disk; absent unless when-full is spill.",
			func(s *scrape) (float64, bool) { return float64(s.SpillBytes), s.Spilling }),
		{name: "fhctl_spilled_frames_total", kind: counter, help: "Frames that went to disk because the stream did not take them; absent unless when-full is spill.",
			read: func(s *scrape, out emit) {
				if s.Spilling {
					out(float64(s.SpilledFrames))
				}
			}},
		single("fhctl_batches_total", counter, "Batches stored.",
			func(s *scrape) float64 { return float64(s.Batches) }),
		single("fhctl_entries_appended_total", counter, "Entries added to the stream.",
			func(s *scrape) float64 { return float64(s.Appended) }),
		single("fhctl_entries_present_total", counter, "Entries that an earlier try had added already.",
			func(s *scrape) float64 { return float64(s.Present) }),
		known("fhctl_cursor_seq", "The stored cursor as this process knows it, of a standby what the leader has stored; absent when there is none.",
			func(s *scrape) (float64, bool) { return float64(s.Cursor), s.Cursor > 0 }),
		known("fhctl_relay_lag_seconds", "Now minus the informal time of the last stored event, which hosts may rewrite; absent when unknown.",
			func(s *scrape) (float64, bool) { return s.Lag.Seconds(), !s.LastTime.IsZero() }),
		known("fhctl_last_stored_timestamp_seconds", "Unix time at which the last batch was stored; absent before the first.",
			func(s *scrape) (float64, bool) { return seconds(s.StoredAt), !s.StoredAt.IsZero() }),
		known("fhctl_stream_length", "Entries in the stream, which is not a backlog: nobody deletes them; absent when unknown.",
			func(s *scrape) (float64, bool) { return float64(s.Length), s.Length >= 0 }),
		{name: "fhctl_trimmed_unread_total", kind: counter, label: "group", help: "Entries trimmed before the group was given them.",
			read: func(s *scrape, out emit) { wordsOf(s.t.unread, out) }},
		{name: "fhctl_trimmed_pending_total", kind: counter, label: "group", help: "Entries trimmed after the group was given them and before it acknowledged them.",
			read: func(s *scrape, out emit) { wordsOf(s.t.pending, out) }},
	}
}
