package rejects

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/text"
)

// Defaults and limits.
const (
	DefaultMaxBytes = 64 << 20
	DefaultMaxFiles = 10_000
	minBytes        = 16 << 10  // smallest MaxBytes
	maxFrame        = 5_000_000 // bytes of one file (C9)
	pauseAfterFail  = 5 * time.Second
)

// Config says where frames are kept and how many.
type Config struct {
	Dir      string
	MaxBytes int64            // files and index lines, at least 16 KiB; 0 is DefaultMaxBytes
	MaxFiles int              // files, and lines without a file; 0 is DefaultMaxFiles
	Now      func() time.Time // nil is time.Now; tests inject another
}

// Stats is what a Store did since Open, and what it holds.
type Stats struct {
	Kept       int64 // files written
	Unkept     int64 // frames too large for a file: only indexed
	Repeated   int64 // frames kept already, with the same reason
	Suppressed int64 // frames above the rate of their reason
	Failed     int64 // frames lost because the directory could not be written
	Evicted    int64 // oldest frames removed for room
	Frames     int   // held now, lines without a file included
	Bytes      int64 // of files and index lines
}

// Store is an open directory. Keep is for one goroutine; Stats may be called
// from any and waits for a Keep under way.
type Store struct {
	cfg   Config
	root  *os.Root
	index *os.File

	mu      sync.Mutex
	records []*record // oldest first
	known   map[identity]*record
	bytes   int64
	next    uint64 // number of the next file
	lines   int    // in the index file, dead ones included
	torn    bool   // the index may end in half a line
	rates   [event.Reasons]rate
	failed  time.Time // of the last failure; zero when the last write worked
	stats   Stats
}

// identity tells two frames apart: the same bytes may be rejected for two
// reasons.
type identity struct {
	sum    [sha256.Size]byte
	reason string
}

// Open makes the directory if it is missing and adopts what it holds. A
// directory that others may write to is refused.
func Open(cfg Config) (*Store, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.MaxFiles <= 0 {
		cfg.MaxFiles = DefaultMaxFiles
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxBytes < minBytes {
		return nil, fault.New(fault.Usage, fmt.Errorf("open rejects directory: %d bytes is too little room", cfg.MaxBytes), "give at least 16 KiB")
	}
	root, err := openDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, root: root, known: make(map[identity]*record), next: 1}
	if err := s.adopt(); err != nil {
		root.Close()
		return nil, dirFault(fmt.Errorf("open rejects directory %q: %w", cfg.Dir, err))
	}
	return s, nil
}

func openDir(dir string) (*os.Root, error) {
	if dir == "" {
		return nil, fault.New(fault.Usage, errors.New("open rejects directory: no name given"), fault.To("rejects", "")+" takes a directory")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, dirFault(fmt.Errorf("make rejects directory %q: %w", dir, err))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, dirFault(fmt.Errorf("open rejects directory %q: %w", dir, err))
	}
	info, err := root.Stat(".")
	if err == nil && info.Mode().Perm()&0o022 != 0 {
		err = fault.New(fault.Usage, fmt.Errorf("open rejects directory %q: others may write to it (mode %04o)", dir, info.Mode().Perm()),
			"run chmod 700 on it, or name another directory")
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

func dirFault(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fault.New(fault.Refused, err, "the directory must belong to the user that runs fhctl")
	}
	return fault.New(fault.Usage, err, fault.To("rejects", "")+" takes a directory that can be written to")
}

// Keep stores frame, or counts why it did not. It takes a hash and at most one
// small file and one line, without waiting for the disk to settle. frame may be
// reused afterwards. An error is returned for the first of a run of failures
// only; the others are in Stats. Nothing that fails here may stop the pipeline.
func (s *Store) Keep(r *event.Reject, frame []byte) error {
	if int(r.Reason) >= event.Reasons {
		return fmt.Errorf("keep rejected frame: unknown reason %d", r.Reason)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	if !s.failed.IsZero() && now.Sub(s.failed) < pauseAfterFail {
		s.stats.Failed++
		return nil
	}
	err := s.keep(r, frame, now)
	if err == nil {
		s.failed = time.Time{}
		return nil
	}
	s.stats.Failed++
	first := s.failed.IsZero()
	s.failed = now
	if !first {
		return nil
	}
	return fmt.Errorf("keep rejected frame in %q: %w", s.cfg.Dir, err)
}

func (s *Store) keep(r *event.Reject, frame []byte, now time.Time) error {
	id := identity{sum: sha256.Sum256(frame), reason: r.Reason.String()}
	if old := s.known[id]; old != nil {
		return errors.Join(s.repeat(old), s.tidy())
	}
	pace := &s.rates[r.Reason]
	if !pace.take(now) {
		s.stats.Suppressed++
		pace.suppressed++
		return nil
	}
	rec := &record{identity: id, line: Line{
		Time: now.UTC().Round(0), Seq: max(r.Seq, 0), Reason: id.reason, Detail: text.Clip(r.Detail, maxDetail),
		Bytes: int64(len(frame)), Suppressed: pace.suppressed,
	}}
	whole := int64(len(frame)) <= min(maxFrame, s.cfg.MaxBytes-maxLine)
	if !whole {
		frame = nil
	}
	// Room first: where nothing can be removed, nothing is added either.
	if err := s.evict(1, int64(len(frame))+maxLine); err != nil {
		return err
	}
	if err := s.write(rec, frame, whole); err != nil {
		return err
	}
	pace.suppressed = 0
	s.hold(rec)
	return s.tidy()
}

// write puts the frame into a file, if it is kept whole, and then into the
// index: a crash between the two leaves a file that the next Open adopts.
func (s *Store) write(rec *record, frame []byte, whole bool) error {
	if !whole {
		if err := s.log(rec); err != nil {
			return err
		}
		s.stats.Unkept++
		return nil
	}
	name, err := s.create(rec, frame)
	if err != nil {
		return err
	}
	rec.line.File = name
	if err := s.log(rec); err != nil {
		return errors.Join(err, s.root.Remove(name))
	}
	s.stats.Kept++
	return nil
}

// repeat counts a frame that is held already, and tells the index at powers of
// two.
func (s *Store) repeat(rec *record) error {
	s.stats.Repeated++
	rec.line.Repeats++
	if n := rec.line.Repeats; n < 2 || n&(n-1) != 0 {
		return nil
	}
	s.bytes -= rec.cost()
	defer func() { s.bytes += rec.cost() }()
	return s.log(rec)
}

// hold takes rec into the list of what is kept.
func (s *Store) hold(rec *record) {
	s.records = append(s.records, rec)
	s.known[rec.identity] = rec
	s.bytes += rec.cost()
}

// evict removes the oldest until there is room for that many more frames and
// bytes.
func (s *Store) evict(frames int, bytes int64) error {
	for len(s.records) > 0 && (len(s.records)+frames > s.cfg.MaxFiles || s.bytes+bytes > s.cfg.MaxBytes) {
		old := s.records[0]
		if old.line.File != "" {
			if err := s.root.Remove(old.line.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove oldest: %w", err)
			}
		}
		s.records[0] = nil
		s.records = s.records[1:]
		if s.known[old.identity] == old {
			delete(s.known, old.identity)
		}
		s.bytes -= old.cost()
		s.stats.Evicted++
	}
	return nil
}

// tidy shortens the index once most of its lines are dead.
func (s *Store) tidy() error {
	if s.lines <= 2*len(s.records)+slackLines {
		return nil
	}
	return s.compact()
}

// Stats is a copy of the numbers so far.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Frames, stats.Bytes = len(s.records), s.bytes
	return stats
}

// Close brings the index up to date and frees the directory. Keep must not be
// called after it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.compact()
	if s.index != nil {
		err = errors.Join(err, s.index.Close())
	}
	if err = errors.Join(err, s.root.Close()); err != nil {
		return fmt.Errorf("close rejects directory %q: %w", s.cfg.Dir, err)
	}
	return nil
}

// rate is a token bucket for one reason.
type rate struct {
	tokens     float64
	last       time.Time
	suppressed int64 // since the last line
}

// Burst is how many frames of one reason may be kept at once, PerSecond how
// many then go on: the disk must not pay for a relay that sends nothing else.
const (
	Burst     = 2000
	PerSecond = 100
)

func (r *rate) take(now time.Time) bool {
	if r.last.IsZero() {
		r.tokens = Burst
	} else if passed := now.Sub(r.last); passed > 0 {
		r.tokens = min(Burst, r.tokens+passed.Seconds()*PerSecond)
	}
	r.last = now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}
