package entry

import (
	"errors"
	"unsafe"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// ErrLimit says that an event's data is longer than it may be.
var ErrLimit = errors.New("the data of the entry is longer than its limit")

// Append appends the data of ev to dst: one JSON object. ok is false, and dst
// unchanged, when ev yields no entry: sync, info, error and unknown events, events
// whose data would be longer than event.MaxData, and events whose text is not
// UTF-8, which a frame decoder does not produce. It allocates only to grow dst.
func Append(dst []byte, ev *event.Event) (out []byte, ok bool) {
	out, ok, _ = appendData(dst, ev, len(dst)+event.MaxData, nil)
	return out, ok
}

// Encoder makes entries of events whose decoder left records as blocks, so that a
// record is written once, where it goes. The zero value is ready. It is not safe
// for concurrent use.
type Encoder struct {
	records dagcbor.Transcoder
	made    []made // of the blocks of the commit in hand, by Op.Number
	large   []byte // of Data
}

// made is where the record of a block stands in the output, or why there is none.
type made struct {
	known      bool
	start, end int
	skip       event.Reason
}

// Overrun is how many bytes above a limit may be written before that is noticed:
// an Append to memory with as much room beyond its limit never grows it.
const Overrun = dagcbor.Overrun + 512

// Append is the package's Append for such events. An op whose record cannot be made
// gets a Skip, and ev the flags of records. The error is ErrLimit when out would be
// longer than limit; ok is then false and dst unchanged. A block that several ops
// name is transcoded once.
func (e *Encoder) Append(dst []byte, ev *event.Event, limit int) (out []byte, ok bool, err error) {
	e.made = e.made[:0]
	return appendData(dst, ev, limit, e)
}

// The memory of Data, in bytes: what it begins with, and what it keeps.
const (
	smallData = 64 << 10
	keepData  = 1 << 20
)

// Data is Append into memory of the Encoder, which it may use again with the next
// call, bounded by event.MaxData. What a large entry took it gives back.
func (e *Encoder) Data(ev *event.Event) (data []byte, ok bool, err error) {
	if cap(e.large) > keepData+Overrun {
		e.large = nil
	}
	for size := max(cap(e.large), smallData+Overrun); ; {
		if cap(e.large) < size {
			e.large = make([]byte, 0, size)
		}
		e.large, ok, err = e.Append(e.large[:0], ev, size-Overrun)
		if err == nil || size >= event.MaxData+Overrun {
			return e.large, ok, err
		}
		size = event.MaxData + Overrun
		if cap(e.large) < keepData+Overrun {
			size = keepData + Overrun
		}
	}
}

// Text is Data as a string. A large one is the Encoder's own memory, which it gives away:
// there is never a second copy of it.
func (e *Encoder) Text(ev *event.Event) (text string, ok bool, err error) {
	data, ok, err := e.Data(ev)
	if len(data) <= keepData {
		return string(data), ok, err
	}
	*e = Encoder{} // nobody writes there any more
	return unsafe.String(unsafe.SliceData(data), len(data)), ok, err
}

func appendData(dst []byte, ev *event.Event, limit int, e *Encoder) (out []byte, ok bool, err error) {
	out = dst
	switch ev.Kind {
	case event.KindCommit:
		out, ok, err = commit(dst, ev, limit, e)
	case event.KindIdentity:
		out, ok, err = identity(dst, ev, limit)
	case event.KindAccount:
		out, ok, err = account(dst, ev, limit)
	}
	if err == nil && ok && len(out) > limit {
		err = ErrLimit
	}
	if !ok || err != nil {
		return dst, false, err
	}
	return out, true, nil
}

// str appends text as JSON, if that fits.
func str(dst, text []byte, limit int) (out []byte, ok bool, err error) {
	if most := 6*len(text) + 2; most > limit-len(dst) && dagcbor.StringSize(text) > limit-len(dst) {
		return dst, false, ErrLimit
	}
	out, ok = dagcbor.AppendString(dst, text)
	return out, ok, nil
}

func commit(dst []byte, ev *event.Event, limit int, e *Encoder) (out []byte, ok bool, err error) {
	dst = append(dst, `{"repo":`...)
	dst, ok, err = str(dst, ev.DID, limit)
	dst = append(dst, `,"ops":[`...)
	first := true
	for i := range ev.Commit.Ops {
		if !ok || err != nil {
			return dst, false, err
		}
		o, before := &ev.Commit.Ops[i], len(dst)
		if o.Skip != event.ReasonNone {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		if dst, ok, err = op(dst, ev, o, limit, e); o.Skip != event.ReasonNone {
			dst = dst[:before]
			continue
		}
		first = false
	}
	return append(dst, `]}`...), ok, err
}

func op(dst []byte, ev *event.Event, o *event.Op, limit int, e *Encoder) (out []byte, ok bool, err error) {
	dst = append(dst, `{"action":"`...)
	dst = append(dst, o.Action.String()...)
	dst = append(dst, `","path":`...)
	dst, ok, err = str(dst, o.Path, limit)
	if !ok || err != nil {
		return dst, ok, err
	}
	if o.Action != event.Delete {
		dst = append(dst, `,"cid":"`...)
		dst = syntax.AppendCID(dst, o.CID)
		dst = append(dst, `","record":`...)
		if e == nil && o.Record == nil && o.Block != nil {
			e = new(Encoder) // the decoder was Raw
		}
		if o.Record != nil || e == nil {
			if len(o.Record) > limit-len(dst) {
				return dst, false, ErrLimit
			}
			dst = append(dst, o.Record...)
		} else if dst, err = e.record(dst, ev, o, limit); err != nil {
			return dst, false, err
		}
	}
	return append(dst, '}'), true, nil
}

// record appends the record of the op's block, or says in the op why there is none.
func (e *Encoder) record(dst []byte, ev *event.Event, o *event.Op, limit int) ([]byte, error) {
	for o.Number >= len(e.made) {
		e.made = append(e.made, made{})
	}
	m := &e.made[o.Number]
	if m.known {
		if o.Skip = m.skip; m.end-m.start > limit-len(dst) {
			return dst, ErrLimit
		}
		return append(dst, dst[m.start:m.end]...), nil
	}
	start := len(dst)
	e.records.Limit = limit
	out, info, err := e.records.AppendJSON(dst, o.Block)
	switch {
	case err == nil && len(info.Type) > 0:
		if info.NonCanonical {
			ev.Flags.Set(event.FlagRecord)
		}
		*m = made{known: true, start: start, end: len(out)}
		return out, nil
	case err == nil:
		o.Skip = event.ReasonRecordType
	case errors.Is(err, dagcbor.ErrLimit):
		return dst, ErrLimit
	default:
		o.Skip = reasonOf(err)
	}
	*m = made{known: true, skip: o.Skip}
	return dst, nil
}

// reasonOf is apart from record because its pointer would make every record
// cost an allocation there.
func reasonOf(err error) event.Reason {
	var bad *dagcbor.Error
	if errors.As(err, &bad) {
		return bad.Reason
	}
	return event.ReasonRecordCBOR
}

func identity(dst []byte, ev *event.Event, limit int) (out []byte, ok bool, err error) {
	dst = append(dst, `{"did":`...)
	dst, ok, err = str(dst, ev.DID, limit)
	dst = append(dst, `,"handle":`...)
	if !syntax.ValidHandle(ev.Identity.Handle) || !ok || err != nil {
		// Never the DID in its place, nor one that the relay gave: it would
		// overwrite a good handle.
		return append(dst, `null}`...), ok, err
	}
	dst, ok, err = str(dst, ev.Identity.Handle, limit)
	return append(dst, '}'), ok, err
}

func account(dst []byte, ev *event.Event, limit int) (out []byte, ok bool, err error) {
	dst = append(dst, `{"did":`...)
	dst, ok, err = str(dst, ev.DID, limit)
	if ev.Account.Active {
		dst = append(dst, `,"active":true`...)
	} else {
		dst = append(dst, `,"active":false`...)
	}
	if ev.Account.Status == nil || !ok || err != nil {
		return append(dst, '}'), ok, err
	}
	dst = append(dst, `,"status":`...)
	dst, ok, err = str(dst, ev.Account.Status, limit)
	return append(dst, '}'), ok, err
}
