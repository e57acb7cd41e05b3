package spill

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

const (
	ending  = ".fhz"
	partial = ".partial"
)

// segment is a run of frames on disk.
type segment struct {
	number int64
	prev   event.Seq // the frames above this one
	last   event.Seq // and up to this one
	path   string
	size   int64 // of the file, in bytes
	frames int64
	writer *capture.Writer // nil once it is complete
	joined bool            // what lies before it was read from the relay, as far as that has it
}

func (s *segment) name() string {
	if s.writer != nil {
		return fmt.Sprintf("%012d-%s", s.number, s.prev)
	}
	return fmt.Sprintf("%012d-%s-%s%s", s.number, s.prev, s.last, ending)
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
	s.number = int64(n)
	s.prev, ok = event.ParseSeq(parts[1])
	if !open && ok {
		s.last, ok = event.ParseSeq(parts[2])
	}
	return s, open, ok && err == nil
}

// scan lists the segments in dir, in order. One that a crash left open is read
// up to its last whole frame and completed; one without frames is removed.
func scan(dir string) (list []*segment, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for spilled frames: %w", err)
	}
	for _, entry := range entries {
		s, open, ok := parseName(entry.Name())
		if !ok || !entry.Type().IsRegular() {
			continue
		}
		s.path = filepath.Join(dir, entry.Name())
		if open {
			if err := s.recover(dir); err != nil {
				return nil, err
			}
		}
		if info, err := os.Stat(s.path); err == nil && s.path != "" {
			s.size = info.Size()
			list = append(list, &s)
		}
	}
	slices.SortFunc(list, func(a, b *segment) int { return int(a.number - b.number) })
	return list, nil
}

// recover completes a segment that was left open.
func (s *segment) recover(dir string) error {
	r, err := capture.Open(s.path)
	if err != nil {
		return fmt.Errorf("recover spilled frames: %w", err)
	}
	var damage *capture.Damage
	for {
		data, err := r.Next()
		if errors.Is(err, io.EOF) || errors.As(err, &damage) {
			break
		}
		if err != nil {
			return errors.Join(fmt.Errorf("recover spilled frames: %w", err), r.Close())
		}
		s.note(data)
	}
	_ = r.Close()
	return s.complete(dir)
}

// note takes a frame into account.
func (s *segment) note(data []byte) {
	s.frames++
	if seq, ok := frame.PeekSeq(data); ok {
		s.last = max(s.last, seq)
	}
}

// complete gives the file its name, or removes it when it holds no event.
func (s *segment) complete(dir string) error {
	old := s.path
	if s.last == 0 {
		s.path = ""
		return os.Remove(old)
	}
	s.path = filepath.Join(dir, s.name())
	if err := os.Rename(old, s.path); err != nil {
		return fmt.Errorf("complete spilled frames: %w", err)
	}
	return nil
}

// begin opens a segment for writing.
func begin(dir string, number int64, prev event.Seq) (*segment, error) {
	s := &segment{number: number, prev: prev}
	path := filepath.Join(dir, fmt.Sprintf("%012d-%s", number, prev))
	w, err := capture.CreatePartial(path)
	if err != nil {
		return nil, err
	}
	s.writer, s.path = w, capture.PartialName(path)
	return s, nil
}

// write adds the frames of a chunk and hands them to the operating system. After
// an error the segment holds what it held before, and perhaps some of them.
func (s *segment) write(frames []event.Frame) error {
	last, count := s.last, s.frames
	for _, f := range frames {
		if err := s.writer.Write(f.Data); err != nil {
			s.last, s.frames = last, count
			return err
		}
		s.note(f.Data)
	}
	if err := s.writer.Flush(); err != nil {
		s.last, s.frames = last, count
		return err
	}
	if info, err := os.Stat(s.path); err == nil {
		s.size = info.Size()
	}
	return nil
}

// finish ends writing. A file that could not be ended is cut short, which its
// reader bears.
func (s *segment) finish(dir string) error {
	if s.writer == nil {
		return nil
	}
	_, _ = s.writer.Suspend()
	s.writer = nil
	err := s.complete(dir)
	if info, e := os.Stat(s.path); e == nil {
		s.size = info.Size()
	}
	return err
}
