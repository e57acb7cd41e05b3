package spill

import (
	"syscall"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// A chunk of several blocks of which a later one cannot be written leaves nothing: the
// whole chunk comes again, into another file.
func TestHalfAChunkIsNotTheEnd(t *testing.T) {
	disk := newMemory(1)
	s, err := begin(disk, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	frames := func(first, last event.Seq, size int) (list []event.Frame) {
		for seq := first; seq <= last; seq++ {
			list = append(list, event.Frame{Data: relaytest.Frame("#account", map[string]any{
				"seq": int64(seq), "did": "did:plc:x", "time": "t", "active": true, "pad": make([]byte, size)})})
		}
		return list
	}
	if err := s.write(frames(1, 3, 10)); err != nil {
		t.Fatal(err)
	}
	size, last := s.size, s.last
	writes := 0
	disk.fault = func(op, _ string) error {
		if op == "write" {
			if writes++; writes == 2 {
				return syscall.ENOSPC
			}
		}
		return nil
	}
	if err := s.write(frames(4, 40, 200_000)); err == nil || writes != 2 {
		t.Fatalf("%v after %d writes, want a failure of the second", err, writes)
	}
	if s.size != size || s.last != last {
		t.Errorf("the segment ends at %d, seq %s; want %d, seq %s", s.size, s.last, size, last)
	}
}
