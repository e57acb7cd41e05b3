package spill

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
)

const (
	ending    = ".fhz"
	partial   = ".partial"
	unchecked = ".unchecked"
)

// segment is a run of frames on disk: a file, or, where a file is damaged in the
// middle, the blocks of it up to there or behind it.
type segment struct {
	number int64
	prev   event.Seq // the frames above this one
	last   event.Seq // and up to this one; prev while there is none
	name   string    // of its file
	size   int64     // of its part of the file, in bytes
	from   int64     // where in the file its first block begins
	shared bool      // the segment behind it has the same file
	joined bool      // what lies before it was read from the relay, as far as that has it
	begun  bool      // frames of it were handed on by this process
	writer *writer   // nil once it is complete
}

// parseName reads a segment's file name; open says that it was being written.
func parseName(name string) (s segment, open, ok bool) {
	stem, open := strings.CutSuffix(name, partial)
	if !open {
		if stem, ok = strings.CutSuffix(name, ending); !ok {
			return s, false, false
		}
	}
	parts := strings.Split(stem, "-")
	if open && len(parts) != 2 || !open && len(parts) != 3 || len(parts[0]) != 12 {
		return s, false, false
	}
	n, err := strconv.ParseUint(parts[0], 10, 63)
	s.number, s.name, s.from = int64(n), name, block.HeaderSize
	s.prev, ok = event.ParseSeq(parts[1])
	if !open && ok {
		s.last, ok = event.ParseSeq(parts[2])
		ok = ok && s.last > s.prev
	}
	return s, open, ok && err == nil
}

// complete is the name of a segment that is not being written.
func (s *segment) complete() string {
	return fmt.Sprintf("%012d-%s-%s%s", s.number, s.prev, s.last, ending)
}

// scan lists the segments in dir, in order. One that a crash left open is
// completed up to its last whole block. Nothing is read but that.
func scan(dir folder, log *slog.Logger, damaged func(s *segment, why string)) (list []*segment, highest int64, err error) {
	names, err := dir.list()
	if err != nil {
		return nil, 0, fmt.Errorf("look for spilled frames: %w", err)
	}
	for _, name := range names {
		s, open, ok := parseName(name)
		if !ok {
			continue
		}
		highest = max(highest, s.number)
		if s.size, err = dir.look(name); err != nil {
			log.Error("A name in the spill directory is passed over; what it should hold is read from the relay", "file", name, "err", err)
			continue
		}
		if open {
			if ok = s.recover(dir, log, damaged); !ok {
				continue
			}
		}
		list = append(list, &s)
	}
	slices.SortStableFunc(list, func(a, b *segment) int {
		if a.number != b.number {
			return int(a.number - b.number)
		}
		return int(a.prev - b.prev)
	})
	return list, highest, nil
}

// recover completes a segment that was left open; false when nothing in it can
// be used.
func (s *segment) recover(dir folder, log *slog.Logger, damaged func(*segment, string)) bool {
	f, err := dir.open(s.name)
	if err != nil {
		log.Error("Cannot read spilled frames; they are read from the relay", "file", s.name, "err", err)
		return false
	}
	if isOld(f) {
		_ = f.Close()
		damaged(s, "an earlier version was killed while it wrote this file, which has no checksums")
		if err := dir.rename(s.name, s.name+unchecked); err != nil {
			log.Warn("Cannot set aside spilled frames that cannot be checked", "file", s.name, "err", err)
		}
		return false
	}
	end, last := block.Extent(f, s.size, s.prev)
	_ = f.Close()
	if last <= s.prev {
		if err := dir.remove(s.name); err != nil {
			log.Warn("Cannot remove an empty file from the spill directory", "file", s.name, "err", err)
		}
		return false
	}
	s.size, s.last = end, last
	s.rename(dir, log)
	return true
}

// holdsEvents is false while there are only notices, which have no seq.
func (s *segment) holdsEvents() bool { return s.last > s.prev }

// rename gives a segment that is written its name. It can be read without.
func (s *segment) rename(dir folder, log *slog.Logger) {
	name := s.complete()
	err := dir.rename(s.name, name)
	if err == nil {
		s.name = name
		err = dir.sync()
	}
	if err != nil {
		log.Warn("Cannot complete spilled frames; they are used as they are", "file", s.name, "err", err)
	}
}

// writer is the end of a segment that is being written.
type writer struct {
	file file
	pack *block.Packer
	good int64 // bytes that are whole blocks
}

// begin opens a segment for writing.
func begin(dir folder, number int64, prev event.Seq) (*segment, error) {
	s := &segment{number: number, prev: prev, last: prev, from: block.HeaderSize}
	s.name = fmt.Sprintf("%012d-%s%s", number, prev, partial)
	f, err := dir.create(s.name)
	if err != nil {
		return nil, fmt.Errorf("spill frames: %w", err)
	}
	s.writer = &writer{file: f, pack: block.NewPacker(prev)}
	return s, nil
}

// write adds the frames of a chunk and hands them to the operating system. After
// an error the segment holds what it held before, and is not written to again.
func (s *segment) write(frames []event.Frame) error {
	w := s.writer
	err := w.header()
	for i := 0; i < len(frames) && err == nil; i++ {
		err = w.add(frames[i].Data, i == len(frames)-1)
	}
	if err != nil {
		_ = w.file.Truncate(s.size) // what stays behind it comes again, or fails its checks
		return fmt.Errorf("spill frames: %w", err)
	}
	s.size = w.good
	if last := w.pack.End(0).Last; last > s.prev {
		s.last = last
	}
	return nil
}

// header begins the file.
func (w *writer) header() error {
	if w.good > 0 {
		return nil
	}
	return w.put(block.AppendHeader(nil))
}

// packBytes is how large blocks are: one block of zstd, for which its encoder needs no
// history, whatever the frames are.
const packBytes = 128 << 10

// add adds a frame. One that is larger than a block has one of its own, without a copy.
func (w *writer) add(data []byte, last bool) error {
	alone := len(data)+4 > packBytes
	if alone || w.pack.Size()+4+len(data) > packBytes {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if alone {
		return w.alone(data)
	}
	err := w.pack.Add(data)
	if err == nil && last {
		err = w.flush()
	}
	return err
}

// flush writes the block of what was added.
func (w *writer) flush() error {
	if w.pack.Pending() == 0 {
		return nil
	}
	w.pack.Pack()
	err := w.put(w.pack.Whole())
	if err == nil {
		w.pack.Commit()
	}
	return err
}

// alone writes the block of a large frame, its descriptor last.
func (w *writer) alone(data []byte) error {
	at := w.good
	w.good += block.DescriptorSize
	descriptor, _, err := w.pack.PackAlone(data, w.put)
	if err == nil {
		err = w.writeAt(descriptor, at)
	}
	if err == nil {
		w.pack.Commit()
	}
	return err
}

// put writes behind what was written.
func (w *writer) put(data []byte) error {
	if err := w.writeAt(data, w.good); err != nil {
		return err
	}
	w.good += int64(len(data))
	return nil
}

func (w *writer) writeAt(data []byte, at int64) error {
	n, err := w.file.WriteAt(data, at)
	if err == nil && n < len(data) {
		err = errors.New("the disk took a part")
	}
	return err
}

// finish ends writing. Whatever fails, what was written can be read, and is
// checked when it is.
func (s *segment) finish(dir folder, log *slog.Logger) {
	w := s.writer
	s.writer = nil
	err := w.file.Sync()
	if err = errors.Join(err, w.file.Close()); err != nil {
		log.Warn("Spilled frames may not outlast a crash of this machine; they would be read from the relay", "file", s.name, "err", err)
	}
	if !s.holdsEvents() {
		if err := dir.remove(s.name); err != nil {
			log.Warn("Cannot remove an empty file from the spill directory", "file", s.name, "err", err)
		}
		return
	}
	s.rename(dir, log)
}
