package spill

import (
	"errors"
	"io/fs"
	"log/slog"
	"slices"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
)

// disk is the segments in order, and how far they were handed on.
type disk struct {
	dir      folder
	log      *slog.Logger
	segments []*segment
	next     int // the first that was not handed on
	number   int64
	acked    event.Seq // what the sink has stored
	fell     event.Seq // what the next segment follows, where that is below the last one; else 0
}

// pending reports whether frames wait on disk.
func (d *disk) pending() bool { return d.next < len(d.segments) }

// waiting is about how many bytes of the disk wait.
func (d *disk) waiting() (n int64) {
	for _, s := range d.segments[d.next:] {
		n += s.size
	}
	return n
}

// used is the size of all segments.
func (d *disk) used() (n int64) {
	for _, s := range d.segments {
		n += s.size
	}
	return n
}

// tail is the last seq on disk, or what the relay was asked for behind; 0 when
// neither is known.
func (d *disk) tail() event.Seq {
	switch {
	case d.fell > 0:
		return d.fell
	case len(d.segments) == 0:
		return 0
	}
	return d.segments[len(d.segments)-1].last
}

// writing is the segment that is being written, or nil.
func (d *disk) writing() *segment {
	if n := len(d.segments); n > 0 && d.segments[n-1].writer != nil {
		return d.segments[n-1]
	}
	return nil
}

// roll completes the segment that is being written.
func (d *disk) roll() {
	s := d.writing()
	if s == nil {
		return
	}
	s.finish(d.dir, d.log)
	if !s.holdsEvents() {
		d.segments = d.segments[:len(d.segments)-1]
	}
}

// append writes frames that come behind prev, all of them or none. A segment that
// is full makes way for another, and so does one of numbers that went down, once they
// are above those before it again: by its prev a segment says what it follows.
func (d *disk) append(frames []event.Frame, prev event.Seq, full int64) error {
	if s := d.writing(); s != nil && (s.size >= full || s.last < prev) {
		d.roll()
	}
	s := d.writing()
	if s == nil {
		var err error
		if s, err = d.begin(prev); err != nil {
			return err
		}
		d.fell = 0
		d.segments = append(d.segments, s)
	}
	if err := s.write(frames); err != nil {
		d.roll() // another file may be written where this one cannot
		return err
	}
	return nil
}

// maxTries is how many names are tried when others are in the way.
const maxTries = 16

func (d *disk) begin(prev event.Seq) (s *segment, err error) {
	for range maxTries {
		d.number++
		if s, err = begin(d.dir, d.number, prev); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return s, err
}

// delete removes the file of a segment. One that stays is found at the next
// start, stored by then.
func (d *disk) delete(s *segment) {
	if s.shared {
		return
	}
	if err := d.dir.remove(s.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("Cannot delete spilled frames that are stored", "file", s.name, "err", err)
	}
}

// sweep deletes segments that were handed on and are stored up to their end. It
// reports whether it did.
func (d *disk) sweep() (changed bool) {
	for len(d.segments) > 0 && d.next > 0 && d.segments[0].writer == nil && d.segments[0].last <= d.acked {
		d.delete(d.segments[0])
		d.segments = slices.Delete(d.segments, 0, 1)
		d.next--
		changed = true
	}
	return changed
}

// seek makes the first segment that reaches above a seq the next one.
func (d *disk) seek(at event.Seq) {
	d.next = 0
	for d.next < len(d.segments) && d.segments[d.next].last <= at {
		d.next++
	}
}

// apart forgets what was read from the relay before segments: it was dropped from
// memory, so it has to be read again.
func (d *disk) apart() {
	for _, s := range d.segments {
		s.joined = false
	}
}

// clear deletes everything.
func (d *disk) clear() {
	d.roll()
	for _, s := range d.segments {
		d.delete(s)
	}
	d.segments, d.next, d.fell = nil, 0, 0
}

// divide makes two segments of the next one: what was read of it, up to at, and
// the rest, which is nil when nothing of it can be used.
func (d *disk) divide(at event.Seq, read int64, rest *segment) {
	s := d.segments[d.next]
	if rest != nil {
		s.shared, s.last, s.size = true, max(s.prev, at), max(read, block.HeaderSize)
		d.segments = slices.Insert(d.segments, d.next+1, rest)
	}
	d.next++
}
