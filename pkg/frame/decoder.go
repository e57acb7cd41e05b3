package frame

import (
	"errors"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

var (
	errNotMap = errors.New("not a map")
	errKey    = errors.New("map key is not text")
)

// Decoder turns messages into events. The zero value is ready. It keeps memory
// between calls and, once that has grown, allocates nothing for sound frames.
// It is not safe for concurrent use; give each goroutine its own.
type Decoder struct {
	// Raw leaves the records of commits as blocks: Op.Record is nil, and a
	// block that cannot be made into JSON is not noticed.
	Raw bool

	fields  fields
	ops     opList
	finder  *blocks.Finder
	wanted  []int // for each op the finder's number of its block, or -1
	records dagcbor.Transcoder
	json    []byte // the records of the commit in hand
	small   int    // frames since the last with large records
	made    []made // of its blocks, by number
	form    []byte // the definite form of a frame that had none
}

// keepBytes bounds the memory that one large frame leaves behind for long: of
// records, and of a frame that had to be copied.
const (
	keepBytes = 1 << 20
	keepForm  = 64 << 10
	// keepLarge is how many frames without large records let go of the memory for
	// those: where one came more may, and each would leave as much behind.
	keepLarge = 16
)

// Decode reads one message into ev, replacing what it held and reusing its Ops.
// The event points into data and into the Decoder until the next call. The
// error is nil or an *event.Reject, whose Seq is set whenever it could be read;
// ev then means nothing.
func (d *Decoder) Decode(data []byte, ev *event.Event) error {
	if len(data) == 0 {
		return &event.Reject{Reason: event.ReasonEmpty, Detail: "empty message"}
	}
	d.reuse()
	reject := d.message(data, ev)
	if reject == nil {
		return nil
	}
	if reject.Reason == event.ReasonCBOR {
		// Perhaps only a length that is indefinite.
		if reject = d.definite(data, ev); reject == nil {
			return nil
		}
	}
	if reject.Seq == 0 && reject.Reason.Framing() {
		reject.Seq, _ = PeekSeq(data)
	}
	return reject
}

func (d *Decoder) reuse() {
	if d.finder == nil {
		d.finder = blocks.NewFinder()
	}
	if d.small++; len(d.json) > keepBytes {
		d.small = 0
	}
	if cap(d.json) > 2*keepBytes && d.small > keepLarge {
		d.json = nil
	}
	d.dropForm()
	d.json = d.json[:0]
}

func (d *Decoder) dropForm() {
	if cap(d.form) > keepForm {
		d.form = nil
	}
}

// Forget lets go of the frame decoded last, which the Decoder would otherwise keep in
// memory until the next: a caller that may wait long should not have it keep a large one.
// The event decoded from it is emptied, but for the memory of its ops.
func (d *Decoder) Forget(ev *event.Event) {
	ops := ev.Commit.Ops
	clear(ops[:cap(ops)])
	*ev = event.Event{Commit: event.Commit{Ops: ops[:0]}}
	d.dropForm()
	d.fields.data, d.ops.fields.data = nil, nil
	clear(d.made)
	if d.finder != nil {
		d.finder.Reset()
	}
}

// definite decodes a message that is not two maps of definite length. What it
// returns is the final word on its framing.
func (d *Decoder) definite(data []byte, ev *event.Event) *event.Reject {
	form, end, err := dagcbor.Definite(d.form[:0], data)
	head := len(form)
	if err == nil && end < len(data) {
		var size int
		form, size, err = dagcbor.Definite(form, data[end:])
		end += size
	}
	d.form = form
	switch {
	case err != nil:
		return &event.Reject{Reason: event.ReasonCBOR, Detail: err.Error()}
	case head == len(form):
		return &event.Reject{Reason: event.ReasonFraming, Detail: "one CBOR value where two are due"}
	case end != len(data):
		return &event.Reject{Reason: event.ReasonFraming, Detail: "bytes after the second CBOR value"}
	}
	reject := d.message(form, ev)
	ev.Flags.Set(event.FlagEnvelope)
	if reject != nil && reject.Seq == 0 && reject.Reason.Framing() {
		reject.Seq, _ = PeekSeq(form)
	}
	return reject
}

// message decodes the two maps of a frame.
func (d *Decoder) message(data []byte, ev *event.Event) *event.Reject {
	f := &d.fields
	head, at, reject := d.header(data)
	if reject != nil {
		return reject
	}
	odd := f.odd
	f.reset(data)
	d.ops.list = ev.Commit.Ops[:0]
	f.ops = &d.ops
	end, err := f.read(at, fieldOps)
	if err != nil {
		return d.unreadable(data, at, err)
	}
	if end != len(data) {
		return &event.Reject{Reason: event.ReasonFraming, Detail: "bytes after the payload"}
	}
	d.begin(ev, &head)
	if odd || f.odd {
		ev.Flags.Set(event.FlagEnvelope)
	}
	reject = d.payload(ev)
	if reject != nil {
		reject.Seq = f.seq()
	}
	return reject
}

// begin resets ev to what the header and the common fields say.
func (d *Decoder) begin(ev *event.Event, head *header) {
	*ev = event.Event{} // alone, it is cleared where it stands
	ev.Kind, ev.Time, ev.Type = head.kind(), d.fields.text(fieldTime), head.label
	if len(ev.Time) > MaxTime {
		ev.Time = nil
	}
	ev.Commit.Ops = d.ops.list[:0]
	if len(ev.Type) > 0 && ev.Type[0] == '#' {
		ev.Type = ev.Type[1:]
	}
}

// unreadable explains a map that could not be read to its end.
func (d *Decoder) unreadable(data []byte, at int, err error) *event.Reject {
	if at >= len(data) {
		return &event.Reject{Reason: event.ReasonFraming, Detail: "no payload"}
	}
	if end, _, bad := dagcbor.Skip(data, at); bad != nil || end == 0 {
		return &event.Reject{Reason: event.ReasonCBOR, Detail: err.Error()}
	}
	if errors.Is(err, errKey) {
		seq, _ := PeekSeq(data)
		return &event.Reject{Reason: event.ReasonLexicon, Seq: seq, Detail: "a payload key is not text"}
	}
	return &event.Reject{Reason: event.ReasonFraming, Detail: "a CBOR value that is not a map"}
}

// header reads the first map (F2) and returns its end.
func (d *Decoder) header(data []byte) (header, int, *event.Reject) {
	// What every relay sends for most events, read as one piece.
	const commit = "\xa2at\x67#commitbop\x01"
	if len(data) > len(commit) && string(data[:len(commit)]) == commit {
		d.fields.odd = false
		return header{op: 1, label: data[4:11:11]}, len(commit), nil
	}
	return d.anyHeader(data)
}

func (d *Decoder) anyHeader(data []byte) (h header, end int, reject *event.Reject) {
	f := &headerFields{data: data}
	end, err := f.read()
	d.fields.odd = f.odd
	if err != nil {
		reject := d.unreadable(data, 0, err)
		if reject.Reason == event.ReasonLexicon {
			reject.Reason = event.ReasonHeader
		}
		return h, 0, reject
	}
	detail := f.fault()
	if detail != "" {
		return h, 0, &event.Reject{Reason: event.ReasonHeader, Detail: detail}
	}
	return f.header, end, nil
}

// payload checks the located fields for the kind that the header named.
func (d *Decoder) payload(ev *event.Event) *event.Reject {
	switch ev.Kind {
	case event.KindCommit:
		return d.commit(ev)
	case event.KindSync:
		return d.sync(ev)
	case event.KindIdentity:
		return d.identity(ev)
	case event.KindAccount:
		return d.account(ev)
	case event.KindInfo:
		return d.notice(ev, fieldName)
	case event.KindError:
		return d.notice(ev, fieldError)
	}
	ev.Seq = d.fields.seq() // F3: advance past it when it is valid
	return nil
}

// owner reads what all numbered events must have: seq and the account.
func (d *Decoder) owner(ev *event.Event, account field) *event.Reject {
	f := &d.fields
	if f.repeated(fieldSeq, account) {
		return &event.Reject{Reason: event.ReasonLexicon, Detail: "seq or DID given twice"}
	}
	if ev.Seq = f.seq(); !ev.Seq.Valid() {
		return &event.Reject{Reason: event.ReasonSeq, Detail: "seq is missing or not a valid number"}
	}
	if ev.DID = f.text(account); ev.DID == nil || !syntax.ValidDID(ev.DID) {
		return &event.Reject{Reason: event.ReasonDID, Detail: "DID is missing or not one that consumers accept"}
	}
	return nil
}

func lexicon(detail string) *event.Reject {
	return &event.Reject{Reason: event.ReasonLexicon, Detail: detail}
}

func (d *Decoder) sync(ev *event.Event) *event.Reject {
	f := &d.fields
	if reject := d.owner(ev, fieldDID); reject != nil {
		return reject
	}
	ev.Sync = event.Sync{Rev: f.text(fieldRev), Blocks: f.str(fieldBlocks, dagcbor.MajorBytes)}
	switch {
	case f.repeated(fieldRev, fieldBlocks):
		return lexicon("rev or blocks given twice")
	case ev.Sync.Blocks == nil:
		return lexicon("blocks is missing or not bytes")
	case len(ev.Sync.Blocks) > MaxSyncBlocks:
		return &event.Reject{Reason: event.ReasonLimit, Detail: "sync blocks over 10,000 bytes"}
	}
	return nil
}

func (d *Decoder) identity(ev *event.Event) *event.Reject {
	if reject := d.owner(ev, fieldDID); reject != nil {
		return reject
	}
	handle, ok := d.optional(fieldHandle)
	if !ok {
		return lexicon("handle is not one text")
	}
	switch {
	case len(handle) == 0:
	case syntax.ValidHandle(handle):
		ev.Identity.Handle = handle
	default: // a DID, for one: stored, it would overwrite a good handle
		ev.Flags.Set(event.FlagHandle)
	}
	return nil
}

func (d *Decoder) account(ev *event.Event) *event.Reject {
	f := &d.fields
	if reject := d.owner(ev, fieldDID); reject != nil {
		return reject
	}
	active := f.values[fieldActive]
	if !f.has(fieldActive) || f.repeated(fieldActive) {
		return lexicon("active is missing or given twice")
	}
	switch f.data[active.start] {
	case dagcbor.True:
		ev.Account.Active = true
	case dagcbor.False:
	default:
		return lexicon("active is not a boolean")
	}
	status, ok := d.optional(fieldStatus)
	if !ok {
		return lexicon("status is not one text")
	}
	ev.Account.Status = status
	return nil
}

// optional is a text that may be missing or null; ok is false when something
// else, bad UTF-8, or more than one value is there.
func (d *Decoder) optional(id field) (text []byte, ok bool) {
	f := &d.fields
	text = f.text(id)
	return text, !f.repeated(id) && (f.absent(id) || text != nil && utf8.Valid(text))
}

// notice reads #info and error frames (F4, F5).
func (d *Decoder) notice(ev *event.Event, name field) *event.Reject {
	f := &d.fields
	ev.Notice = event.Notice{Name: f.text(name), Message: f.text(fieldMessage)}
	if ev.Notice.Name == nil || f.repeated(name) {
		return lexicon("the name of a notice is missing, not text, or given twice")
	}
	return nil
}
