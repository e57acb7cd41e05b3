package frame

import (
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
)

// header is what the first of the two maps says.
type header struct {
	op    int64
	label []byte // t as sent, with its '#'; nil when absent
}

// kind is the event kind the header announces (F2, F3, F4).
func (h *header) kind() event.Kind {
	switch {
	case h.op == -1:
		return event.KindError
	case h.op != 1:
		return event.KindUnknown
	}
	switch string(h.label) {
	case "#commit":
		return event.KindCommit
	case "#sync":
		return event.KindSync
	case "#identity":
		return event.KindIdentity
	case "#account":
		return event.KindAccount
	case "#info":
		return event.KindInfo
	}
	return event.KindUnknown
}

// headerFields reads a header map: "op", "t", and whatever the future adds.
type headerFields struct {
	data []byte
	header
	ops, labels     int // how often each key occurred
	badOp, badLabel bool
	odd             bool
}

func (f *headerFields) read() (end int, err error) {
	h, at := dagcbor.ReadHead(f.data, 0)
	if at == 0 || h.Major != dagcbor.MajorMap || h.Indefinite {
		return 0, errNotMap
	}
	f.odd = h.Long
	var last []byte
	for range h.Arg {
		key, next := dagcbor.ReadHead(f.data, at)
		start := at
		end, odd, err := dagcbor.Skip(f.data, at)
		if err != nil {
			return 0, err
		}
		if key.Major != dagcbor.MajorText {
			return 0, errKey
		}
		f.odd = f.odd || odd || !dagcbor.KeysRise(last, f.data[start:end])
		last = f.data[start:end]
		at, odd, err = dagcbor.Skip(f.data, end)
		if err != nil {
			return 0, err
		}
		f.odd = f.odd || odd
		f.keep(string(f.data[next:end]), end, at)
	}
	return at, nil
}

func (f *headerFields) keep(key string, at, end int) {
	h, next := dagcbor.ReadHead(f.data, at)
	switch key {
	case "op":
		f.ops++
		f.badOp = h.Major > dagcbor.MajorNegative || h.Arg > 1<<63-1
		f.op = int64(h.Arg)
		if h.Major == dagcbor.MajorNegative {
			f.op = -1 - f.op
		}
	case "t":
		f.labels++
		f.badLabel = h.Major != dagcbor.MajorText
		if !f.badLabel {
			f.label = f.data[next:end:end]
		}
	}
}

// fault says what makes the header unusable (F2); "" when nothing does.
func (f *headerFields) fault() string {
	switch {
	case f.ops != 1 || f.badOp:
		return "op is missing, not an integer, or given twice"
	case f.op == 1 && (f.labels != 1 || f.badLabel):
		return "t is missing, not text, or given twice"
	}
	return ""
}
