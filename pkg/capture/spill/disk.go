package spill

import (
	"errors"
	"os"
	"slices"

	"github.com/fhctl/fhctl/pkg/event"
)

// disk is the segments in order, and how far they were handed on.
type disk struct {
	dir      string
	segments []*segment
	next     int // the first that was not handed on
	number   int64
	acked    event.Seq // what the sink has stored
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

// tail is the last seq on disk; 0 when nothing is.
func (d *disk) tail() event.Seq {
	if len(d.segments) == 0 {
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
func (d *disk) roll() error {
	s := d.writing()
	if s == nil {
		return nil
	}
	err := s.finish(d.dir)
	if s.path == "" { // it held no event
		d.segments = d.segments[:len(d.segments)-1]
	}
	return err
}

// append writes frames that come behind prev. A segment that is full makes way
// for another.
func (d *disk) append(frames []event.Frame, prev event.Seq, full int64) error {
	s := d.writing()
	if s != nil && s.size >= full {
		if err := d.roll(); err != nil {
			return err
		}
		s = nil
	}
	if s == nil {
		if n := len(d.segments); n > 0 {
			d.number = max(d.number, d.segments[n-1].number)
		}
		d.number++
		var err error
		if s, err = begin(d.dir, d.number, prev); err != nil {
			return err
		}
		d.segments = append(d.segments, s)
	}
	if err := s.write(frames); err != nil {
		return errors.Join(err, d.roll())
	}
	return nil
}

// sweep deletes segments that were handed on and are stored up to their end. It
// reports whether it did.
func (d *disk) sweep() (changed bool) {
	for len(d.segments) > 0 && d.next > 0 && d.segments[0].writer == nil && d.segments[0].last <= d.acked {
		_ = os.Remove(d.segments[0].path)
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

// clear deletes everything.
func (d *disk) clear() {
	_ = d.roll()
	for _, s := range d.segments {
		_ = os.Remove(s.path)
	}
	d.segments, d.next = nil, 0
}
