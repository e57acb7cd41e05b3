package health

// sampleFamilies describe what a timer found in Redis. They are absent while
// nothing is known, so that an old number is never taken for a new one.
func sampleFamilies() []family {
	group := func(name, help string, value func(Group) float64) family {
		return family{name: name, label: "group", kind: gauge, help: help,
			read: func(s *scrape, out emit) { groupsOf(s.Sample.Groups, value, out) }}
	}
	partition := func(name, help string, value func(Partition) (float64, bool)) family {
		return family{name: name, label: "partition", kind: gauge, help: help + ", by its number; absent unless partitions is set.",
			read: func(s *scrape, out emit) { partitionsOf(s.Sample.Partitions, value, out) }}
	}
	return []family{
		partition("fhctl_partition_cursor_seq", "The stored cursor of each partition, looked up every few seconds",
			func(p Partition) (float64, bool) { return float64(p.Cursor), p.Begun }),
		partition("fhctl_partition_stream_length", "Entries in the stream of each partition, looked up every few seconds",
			func(p Partition) (float64, bool) { return float64(p.Length), true }),
		group("fhctl_group_lag_entries", "Entries of the stream that the group was not given yet: the true backlog, looked up every few seconds.",
			func(g Group) float64 { return float64(g.Lag) }),
		group("fhctl_group_pending_entries", "Entries given to a consumer of the group and not acknowledged.",
			func(g Group) float64 { return float64(g.Pending) }),
		group("fhctl_group_oldest_pending_seconds", "How long the group's oldest pending entry has waited since it was last given to a consumer.",
			func(g Group) float64 { return g.OldestIdle.Seconds() }),
		group("fhctl_group_max_deliveries", "How often the group's most delivered pending entry was given out, among the oldest thousand.",
			func(g Group) float64 { return float64(g.Deliveries) }),
		group("fhctl_group_consumers", "Consumers that the group knows, idle ones included.",
			func(g Group) float64 { return float64(g.Consumers) }),
		known("fhctl_dead_letter_entries", "Entries in the stream of those that consumers gave up on; absent when unknown.",
			func(s *scrape) (float64, bool) { return float64(s.Sample.DeadLetters), s.Sample.DeadLetters >= 0 }),
		known("fhctl_redis_used_memory_bytes", "Memory that Redis uses; absent when unknown.",
			func(s *scrape) (float64, bool) { return float64(s.Sample.UsedMemory), s.Sample.UsedMemory >= 0 }),
		known("fhctl_redis_max_memory_bytes", "Memory that Redis may use, 0 for no limit; absent when unknown.",
			func(s *scrape) (float64, bool) { return float64(s.Sample.MaxMemory), s.Sample.MaxMemory >= 0 }),
		known("fhctl_redis_disk_ok", "1 when the last write of Redis to its disk worked; absent when unknown.",
			func(s *scrape) (float64, bool) { return truth(s.Sample.Durable), s.SampleKnown }),
		single("fhctl_sample_failures_total", counter, "Times Redis could not be looked at for the numbers above.",
			func(s *scrape) float64 { return float64(s.t.sampleFails) }),
		{name: "fhctl_reject_files_total", kind: counter, label: "outcome", help: "Rejected frames to be kept in the directory of rejects, by what became of them.", read: rejectOutcomes},
		single("fhctl_reject_files_bytes", gauge, "Bytes of the rejected frames that are kept.",
			func(s *scrape) float64 { return float64(s.rejectFiles.Bytes) }),
	}
}

func rejectOutcomes(s *scrape, out emit) {
	r := &s.rejectFiles
	out(float64(r.Kept), "kept")
	out(float64(r.Unkept), "too_large")
	out(float64(r.Repeated), "repeated")
	out(float64(r.Suppressed), "suppressed")
	out(float64(r.Failed), "failed")
	out(float64(r.Evicted), "evicted")
}
