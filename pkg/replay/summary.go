package replay

import (
	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/event"
)

// Summary is what became of the events.
type Summary struct {
	// Complete is set when the run ended as it should: at the end of the source or of the
	// range, at a limit, or, of a source that is endless, with its context.
	Complete bool
	// Taken events are in the target. First and Last bound their seqs, 0 without any;
	// Bytes is the size of their frames, or of the data of entries. Kinds counts them by
	// name, and with them those that the target had already.
	Taken       int64
	First, Last event.Seq
	Bytes       int64
	Kinds       map[string]int64
	// Repeats are what the target had, or the source left out because it came again.
	Repeats int64
	// Unwanted is what the filter left out, NotTaken what the target takes none of.
	Unwanted, NotTaken int64
	// Rejected is what could not be read, by reason.
	Rejected int64
	Reasons  [event.Reasons]int64
	// Notices is what a relay said of itself.
	Notices int64
	// Seen is what of the source was looked at.
	Seen coverage.Seen
}

// took counts an event that was given to the target.
func (s *Summary) took(e *Selected, size int) {
	s.Taken++
	s.Bytes += int64(size)
	s.Kinds[e.Kind.String()]++ // which is bounded: what a stream's types say is untrusted
	if e.Seq == 0 {
		return
	}
	if s.First == 0 || e.Seq < s.First {
		s.First = e.Seq
	}
	s.Last = max(s.Last, e.Seq)
}
