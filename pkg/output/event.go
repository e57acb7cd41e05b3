package output

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
	dst = append(dst, `{"v":1,"source":"`...)
	dst = append(dst, e.Source...)
	dst = append(dst, '"')
	if e.ID != "" {
		dst = appendText(append(dst, `,"id":`...), e.ID)
	}
	dst = e.appendTime(append(dst, `,"time":`...))
	dst = appendText(append(dst, `,"kind":`...), e.Kind)
	dst = append(dst, `,"seq":`...)
	if e.Seq > 0 {
		dst = strconv.AppendInt(dst, int64(e.Seq), 10)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"did":`...)
	if e.Outline.DID == "" {
		dst = append(dst, "null"...)
	} else {
		dst = appendText(dst, e.Outline.DID)
	}
	return append(e.appendPayload(dst), "}\n"...)
}

func (e *Event) appendTime(dst []byte) []byte {
	switch {
	case e.Sent != "":
		return appendText(dst, e.Sent)
	case e.At.IsZero():
		return append(dst, "null"...)
	}
	return append(e.At.UTC().AppendFormat(append(dst, '"'), stamp), '"')
}

func (e *Event) appendPayload(dst []byte) []byte {
	if op := e.op(); e.Alone && op != nil {
		dst = strconv.AppendInt(append(dst, `,"index":`...), int64(e.Op), 10)
		dst = strconv.AppendInt(append(dst, `,"ops":`...), int64(len(e.Outline.Ops)), 10)
		return appendLine(append(dst, `,"op":`...), op.JSON)
	}
	if e.Fault != "" {
		dst = appendText(append(dst, `,"data":null,"fault":`...), e.Fault)
		if e.Fields == nil {
			return dst
		}
		return appendValues(append(dst, `,"fields":`...), e.Fields)
	}
	dst = appendLine(append(dst, `,"data":`...), e.Data)
	if e.Skipped > 0 {
		dst = strconv.AppendInt(append(dst, `,"skipped":`...), int64(e.Skipped), 10)
	}
	return dst
}

// appendLine appends sound JSON, on one line.
func appendLine(dst []byte, data string) []byte {
	// Two searches by byte: one for any of two is many times slower.
	if strings.IndexByte(data, '\n') < 0 && strings.IndexByte(data, '\r') < 0 {
		return append(dst, data...)
	}
	b := bytes.NewBuffer(dst)
	_ = json.Compact(b, []byte(data)) // sound, so it cannot fail
	return b.Bytes()
}

// AppendEntry appends a stream entry as it stands, as one line: its id and its
// fields, name, value, …; bytes that are not UTF-8 as {"$bytes": base64}.
func AppendEntry(dst []byte, id string, fields []string) []byte {
	dst = appendText(append(dst, `{"id":`...), id)
	return append(appendValues(append(dst, `,"fields":`...), fields), "}\n"...)
}

// AppendFrame appends a frame as it came, as one line of padded base64.
func AppendFrame(dst, frame []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(dst, frame), '\n')
}

func appendValues(dst []byte, values []string) []byte {
	dst = append(dst, '[')
	for i, value := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if utf8.ValidString(value) {
			dst = appendText(dst, value)
			continue
		}
		dst = append(dst, `{"$bytes":"`...)
		dst = base64.RawStdEncoding.AppendEncode(dst, []byte(value))
		dst = append(dst, `"}`...)
	}
	return append(dst, ']')
}

// appendText appends text as a JSON string; what is not UTF-8 becomes U+FFFD.
func appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendOddText(dst, text)
		}
	}
	dst = append(append(dst, '"'), text...)
	return append(dst, '"')
}

func appendOddText(dst []byte, text string) []byte {
	b := bytes.NewBuffer(dst)
	to := json.NewEncoder(b)
	to.SetEscapeHTML(false)
	_ = to.Encode(text) // a string into memory cannot fail
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
