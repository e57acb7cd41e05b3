package health

import (
	"strconv"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// staleSample is how old a Sample may be before it is no longer shown.
const staleSample = time.Minute

// Sample is what a look at Redis found. Whoever runs ingest takes one every few
// seconds, never per batch, and hands it to Monitor.Sampled. Numbers are -1
// where they are unknown.
type Sample struct {
	Length      int64 // entries in the stream
	DeadLetters int64 // entries that consumers gave up on
	UsedMemory  int64 // bytes that Redis uses
	MaxMemory   int64 // bytes that Redis may use; 0 is no limit
	Durable     bool  // the last write of Redis to its disk worked
	Version     string
	Groups      []Group // at most 32 are shown by name
	// Partitions are the streams of a set by their number, at most 64; none
	// where one stream is written.
	Partitions []Partition
}

// Partition is one stream of a set.
type Partition struct {
	Length int64 // entries
	Cursor event.Seq
	Begun  bool // there is a cursor
}

// Group is a consumer group as it stands.
type Group struct {
	Name      string
	Lag       int64 // entries it was not given yet
	Estimated bool  // Lag is good to a few percent
	Pending   int64 // given to a consumer, not acknowledged
	Consumers int
	// OldestIdle is how long the oldest pending entry has been waiting since
	// it was last given to a consumer.
	OldestIdle time.Duration
	// Deliveries is how often the most delivered pending entry was given out.
	Deliveries int64
}

// Sampled takes what a look at Redis found. The Monitor keeps s.
func (m *Monitor) Sampled(s Sample) {
	now := m.cfg.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.sample, m.t.sampledAt = s, now
	for _, g := range s.Groups[:min(len(s.Groups), maxWords)] {
		m.t.unread.add(g.Name, 0) // so that an alert sees the first loss
		m.t.pending.add(g.Name, 0)
	}
	m.t.sampleErr = nil
}

// SampleFailed tells that Redis could not be looked at. What was found before is
// shown until it is a minute old.
func (m *Monitor) SampleFailed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.sampleErr = err
	m.t.sampleFails++
}

// fresh is the newest sample, unless it is too old to be shown.
func (t *tally) fresh(now time.Time) (Sample, bool) {
	if t.sampledAt.IsZero() || now.Sub(t.sampledAt) > staleSample {
		return Sample{Length: -1, DeadLetters: -1, UsedMemory: -1, MaxMemory: -1, Durable: true}, false
	}
	return t.sample, true
}

// groupsOf gives every group a label value: its own name, or "other" for the
// 33rd and later ones and for names that are no label. Of several "other" the
// greatest value is shown: adding up lags of groups means nothing.
func groupsOf(groups []Group, value func(Group) float64, out emit) {
	named, rest, others := 0, 0.0, false
	for _, g := range groups {
		if named < maxWords && isWord(g.Name) && g.Name != otherWords {
			named++
			out(value(g), g.Name)
			continue
		}
		rest, others = max(rest, value(g)), true
	}
	if others {
		out(rest, otherWords)
	}
}

// mostPartitions bounds the values of the label partition.
const mostPartitions = 64

// partitionsOf gives every partition its number as label; value says false where
// nothing is known.
func partitionsOf(all []Partition, value func(Partition) (float64, bool), out emit) {
	for i, p := range all[:min(len(all), mostPartitions)] {
		if v, known := value(p); known {
			out(v, strconv.Itoa(i))
		}
	}
}

// RejectFiles is what was done with rejected frames that are kept in files.
type RejectFiles struct {
	Kept       int64 // written
	Unkept     int64 // too large for a file: only indexed
	Repeated   int64 // kept already
	Suppressed int64 // above the rate of their reason
	Failed     int64 // lost because the directory could not be written
	Evicted    int64 // oldest ones removed for room
	Frames     int64 // held now
	Bytes      int64 // held now
}

// SetRejectFiles gives the source of the reject file counters. It is called at
// each scrape and must not block for long.
func (m *Monitor) SetRejectFiles(read func() RejectFiles) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.rejectFiles = read
}
