package spill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// Upstream is what frames come from: relay.Source, as the pipeline knows it.
type Upstream interface {
	Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error]
}

// The values used where Config leaves a field zero.
const (
	DefaultPatience     = time.Second
	DefaultSegmentBytes = 32 << 20
	DefaultMemory       = 2 << 20
)

// Config is what a Source needs. Source, Dir, Owner and MaxBytes are required.
type Config struct {
	Source Upstream
	Dir    string // made if missing, 0700
	Owner  Owner
	// MaxBytes bounds the segments on disk.
	MaxBytes int64
	// Patience is how long the pipeline may take no frame before frames go
	// to disk.
	Patience time.Duration
	// SegmentBytes is when another segment is begun, in bytes on disk.
	SegmentBytes int64
	// Memory bounds the frames that wait in memory while nothing is on disk.
	Memory int64
	// Alarm hears when the limit is reached or the disk fails; it must not
	// block. May be nil.
	Alarm  func(a event.Alarm, seq event.Seq, detail string)
	Logger *slog.Logger // nil is silent
}

func (c Config) withDefaults() Config {
	if c.Patience <= 0 {
		c.Patience = DefaultPatience
	}
	if c.SegmentBytes <= 0 {
		c.SegmentBytes = DefaultSegmentBytes
	}
	if c.Memory <= 0 {
		c.Memory = DefaultMemory
	}
	if c.Alarm == nil {
		c.Alarm = func(event.Alarm, event.Seq, string) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Source passes an upstream's frames on, by way of the disk when it must. It
// satisfies the pipeline's frame source; one goroutine at a time ranges over it.
type Source struct {
	cfg  Config
	lock *os.File

	mu      sync.Mutex
	changed *sync.Cond // broadcast whenever something below changes
	disk    disk
	free    chunks
	conn    uint64 // numbers what the receiver sees as connections
	started bool   // something was read before
	spilled int64  // frames ever written
	told    telling
}

// telling is what the log was told last.
type telling struct {
	spilling bool
	since    time.Time
	frames   int64 // Source.spilled then
	over     bool
}

// Open claims the directory and takes up what an earlier process left there.
//
// Errors: fault.Usage and fault.Refused (the directory), fault.Conflict (another
// process uses it, or it holds frames of another relay or cursor).
func Open(cfg Config) (*Source, error) {
	cfg = cfg.withDefaults()
	lock, err := claim(cfg.Dir, cfg.Owner)
	if err != nil {
		return nil, err
	}
	s := &Source{cfg: cfg, lock: lock, free: make(chunks, chunksKept)}
	s.changed = sync.NewCond(&s.mu)
	if s.disk.segments, err = scan(cfg.Dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.disk.dir = cfg.Dir
	if n := len(s.disk.segments); n > 0 {
		cfg.Logger.Info("Frames that an earlier run spilled are on disk", "dir", cfg.Dir, "bytes", s.disk.used(),
			"above", s.disk.segments[0].prev.String(), "upto", s.disk.segments[n-1].last.String())
	}
	return s, nil
}

// Close completes what is being written and gives the directory back. Frames on
// disk stay for the next run. Nobody may range any more.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.disk.roll(), s.lock.Close())
}

// Stored says that the sink has stored everything up to seq: segments up to
// there are deleted.
func (s *Source) Stored(seq event.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk.acked = seq; s.disk.sweep() {
		s.changed.Broadcast()
	}
}

// Usage is what lies on disk now, in bytes, and how many frames ever went there.
func (s *Source) Usage() (bytes, frames int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disk.used(), s.spilled
}

// Frames yields chunks as the upstream does, in order. Before the first, and
// whenever what follows came on another connection, it asks resume, which says
// how far the receiver has come, and goes on from there: from disk, from the
// relay, or first from the one and then from the other.
func (s *Source) Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(yield func(*event.Chunk, error) bool) {
		f := &flow{Source: s, resume: resume, yield: yield}
		if err := f.run(ctx); err != nil {
			yield(nil, err)
		}
	}
}

// say tells the log when spilling begins and ends, once each. s.mu is held.
func (s *Source) say(spilling bool) {
	t := &s.told
	switch {
	case spilling && !t.spilling:
		*t = telling{spilling: true, since: time.Now(), frames: s.spilled}
		s.cfg.Logger.Warn("Redis does not take events as they come: frames go to disk until it does", "dir", s.cfg.Dir, "limit", s.cfg.MaxBytes)
	case !spilling && t.spilling:
		s.cfg.Logger.Info("All spilled frames were handed on; reading goes past the disk again",
			"frames", s.spilled-t.frames, "after", time.Since(t.since).Round(time.Millisecond))
		*t = telling{}
	}
}

// over tells, once, that nothing more can be spilled. s.mu is held.
func (s *Source) over(why string) {
	if s.told.over {
		return
	}
	s.told.over = true
	detail := fmt.Sprintf("%s: nothing more is read from the relay until some of it is stored", why)
	s.cfg.Logger.Error("The spill directory takes no more", "dir", s.cfg.Dir, "why", why, "used", s.disk.used(), "limit", s.cfg.MaxBytes,
		"hint", "get the stream's readers, or Redis, going again; or make room and restart with a larger spill-max-bytes")
	s.cfg.Alarm(event.AlarmSpillFull, s.disk.tail(), detail)
}
