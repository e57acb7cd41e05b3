package output

import (
	"bufio"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
)

// Sources of an Event, as JSON names them.
const (
	FromStream = "stream"
	FromRelay  = "relay"
)

// Event is one event to show. All text in it is untrusted.
type Event struct {
	Source string // FromStream or FromRelay
	ID     string // of the stream entry; "" from a relay
	// At is when Redis stored the entry, or when the relay says it happened;
	// zero when unknown.
	At   time.Time
	Sent string // the relay's own words for At; "" from a stream
	Kind string // without '#'; anything, if another writer stored it
	Seq  event.Seq
	Data string // one JSON object; "" when there is a Fault
	// Outline is what Outline.Read says of Data.
	Outline entry.Outline
	Skipped int // ops that no consumer would see; from a relay only
	// Fault says why Data cannot be shown; Fields is then the entry as it
	// stands: name, value, …
	Fault  string
	Fields []string
	// Op is the op that a line is about, -1 for none. Alone shows it and
	// none of its siblings.
	Op    int
	Alone bool
}

// op is the op that the line is about, or nil.
func (e *Event) op() *entry.OpOutline {
	if e.Op < 0 || e.Op >= len(e.Outline.Ops) {
		return nil
	}
	return &e.Outline.Ops[e.Op]
}

// stamp is how JSON prints At: in UTC, to the millisecond of stream ids.
const stamp = "2006-01-02T15:04:05.000Z"

// AppendJSON appends e as one line of the schema "fhctl tail", version 1, of
// docs/json.md. Data stands in it byte for byte, save for line breaks between
// its tokens.
func AppendJSON(dst []byte, e *Event) []byte {
	p := parts{buf: dst}
	p.event(e)
	return p.buf
}

// WriteJSON writes what AppendJSON appends. Other than that it holds no line in
// memory: escaped, 13 MB of data can be 78.
func WriteJSON(to *bufio.Writer, e *Event) error {
	p := parts{buf: to.AvailableBuffer(), to: to}
	p.event(e)
	return p.end()
}

func (p *parts) event(e *Event) {
	p.add(`{"v":1,"source":"`, e.Source, `"`)
	if e.ID != "" {
		p.add(`,"id":`).text(e.ID)
	}
	p.add(`,"time":`).time(e)
	p.add(`,"kind":`).text(e.Kind)
	if p.add(`,"seq":`); e.Seq > 0 {
		p.buf = strconv.AppendInt(p.buf, int64(e.Seq), 10)
	} else {
		p.add("null")
	}
	if p.add(`,"did":`); e.Outline.DID == "" {
		p.add("null")
	} else {
		p.text(e.Outline.DID)
	}
	p.payload(e)
	p.add("}\n")
}

func (p *parts) time(e *Event) {
	switch {
	case e.Sent != "":
		p.text(e.Sent)
	case e.At.IsZero():
		p.add("null")
	default:
		p.buf = append(e.At.UTC().AppendFormat(append(p.buf, '"'), stamp), '"')
	}
}

func (p *parts) payload(e *Event) {
	if op := e.op(); e.Alone && op != nil {
		p.buf = strconv.AppendInt(append(p.buf, `,"index":`...), int64(e.Op), 10)
		p.buf = strconv.AppendInt(append(p.buf, `,"ops":`...), int64(len(e.Outline.Ops)), 10)
		p.add(`,"op":`).line(op.JSON)
		return
	}
	if e.Fault != "" {
		if p.add(`,"data":null,"fault":`).text(e.Fault); e.Fields != nil {
			p.add(`,"fields":`).values(e.Fields)
		}
		return
	}
	p.add(`,"data":`).line(e.Data)
	if e.Skipped > 0 {
		p.buf = strconv.AppendInt(append(p.buf, `,"skipped":`...), int64(e.Skipped), 10)
	}
}

// AppendEntry appends a stream entry as it stands, as one line: its id and its
// fields, name, value, …; bytes that are not UTF-8 as {"$bytes": base64}.
func AppendEntry(dst []byte, id string, fields []string) []byte {
	p := parts{buf: dst}
	p.entry(id, fields)
	return p.buf
}

// WriteEntry writes what AppendEntry appends, without holding it in memory.
func WriteEntry(to *bufio.Writer, id string, fields []string) error {
	p := parts{buf: to.AvailableBuffer(), to: to}
	p.entry(id, fields)
	return p.end()
}

func (p *parts) entry(id string, fields []string) {
	p.add(`{"id":`).text(id)
	p.add(`,"fields":`).values(fields)
	p.add("}\n")
}

// AppendFrame appends a frame as it came, as one line of padded base64.
func AppendFrame(dst, frame []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(dst, frame), '\n')
}
