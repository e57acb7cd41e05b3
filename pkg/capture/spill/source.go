package spill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/capture/block"
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
	// IdleTimeout is after how long without a new event Source ends a connection; 0 is
	// never.
	IdleTimeout time.Duration
	// Alarm hears when the limit is reached or the disk fails; it must not
	// block. May be nil.
	Alarm func(a event.Alarm, seq event.Seq, detail string)
	// Rejected hears of frames that are not passed on: their seq was far above
	// the others and not confirmed. The frame may be read only during the call,
	// which must not block; nil where it was too large to keep. May be nil.
	Rejected func(r *event.Reject, frame []byte)
	Logger   *slog.Logger // nil is silent

	folder folder // tests put theirs in Dir's place
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
	if c.Rejected == nil {
		c.Rejected = func(*event.Reject, []byte) {}
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
	cfg   Config
	place *place // nil in tests

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
	s := &Source{cfg: cfg.withDefaults()}
	s.changed, s.free = sync.NewCond(&s.mu), newChunks(s.wake)
	s.disk = disk{dir: cfg.folder, log: s.cfg.Logger}
	if cfg.folder == nil {
		place, err := claim(cfg.Dir)
		if err != nil {
			return nil, err
		}
		s.place, s.disk.dir = place, rootFolder{place.root}
	}
	if err := s.takeUp(); err != nil {
		return nil, errors.Join(err, s.giveBack())
	}
	return s, nil
}

// takeUp finds what is in the directory, if it is this owner's.
func (s *Source) takeUp() (err error) {
	if err := s.checkOwner(); err != nil {
		return err
	}
	s.disk.segments, s.disk.number, err = scan(s.disk.dir, s.cfg.Logger, func(f *segment, why string) {
		s.lost(f.name, f.prev, f.last, why)
	})
	if n := len(s.disk.segments); n > 0 {
		s.cfg.Logger.Info("Frames that an earlier run spilled are on disk", "dir", s.cfg.Dir, "bytes", s.disk.used(),
			"above", s.disk.segments[0].prev.String(), "upto", s.disk.segments[n-1].last.String())
	}
	return err
}

// checkOwner counts files by their names alone: another owner's are not touched.
func (s *Source) checkOwner() error {
	names, err := s.disk.dir.list()
	if err != nil {
		return refused(err)
	}
	left := 0
	for _, name := range names {
		if _, _, ok := parseName(name); !ok {
			continue
		}
		if size, err := s.disk.dir.look(name); err == nil && size > block.HeaderSize {
			left++
		}
	}
	return own(s.disk.dir, s.cfg.Dir, s.cfg.Owner, left)
}

// Close completes what is being written and gives the directory back. Frames on
// disk stay for the next run. Nobody may range any more.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disk.roll()
	return s.giveBack()
}

func (s *Source) giveBack() error {
	if s.place == nil {
		return nil
	}
	return s.place.close()
}

// lost tells, each time, that frames on disk cannot be used. upto is 0 when it is
// not known how far the file went.
func (s *Source) lost(file string, after, upto event.Seq, why string) {
	end := "seq " + upto.String()
	if upto == 0 {
		end = "an unknown seq"
	}
	detail := fmt.Sprintf("%s: %s: what lies above seq %s, up to %s, is read from the relay, as far as that still has it", file, why, after, end)
	s.cfg.Logger.Error("Spilled frames are damaged and not used", "dir", s.cfg.Dir, "file", file, "after", after.String(), "upto", upto.String(), "why", why)
	s.cfg.Alarm(event.AlarmSpillDamaged, after, detail)
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
