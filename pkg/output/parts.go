package output

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/text"
)

// parts is a line of JSON in the making: in memory, or part by part into a writer.
type parts struct {
	buf []byte
	to  *bufio.Writer // nil keeps all of it in buf
	err error         // of the writer
}

// part is how much is written at once, in bytes.
const part = 4 << 10

// add adds JSON of ours.
func (p *parts) add(words ...string) *parts {
	for _, word := range words {
		p.buf = append(p.buf, word...)
	}
	return p
}

// end writes what is left.
func (p *parts) end() error {
	p.flush()
	return p.err
}

func (p *parts) flush() {
	if p.to == nil {
		return
	}
	if _, err := p.to.Write(p.buf); p.err == nil {
		p.err = err
	}
	p.buf = p.to.AvailableBuffer()
}

// pieces yields text in pieces that end where a character does.
func (p *parts) pieces(whole string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for p.to != nil && len(whole) > part {
			piece := text.Clip(whole, part)
			if !yield(piece) {
				return
			}
			whole = whole[len(piece):]
			p.flush()
		}
		yield(whole)
	}
}

// line adds sound JSON, on one line. Line breaks can stand between its tokens only.
func (p *parts) line(data string) {
	// Two searches by byte: one for any of two is many times slower.
	if strings.IndexByte(data, '\n') < 0 && strings.IndexByte(data, '\r') < 0 {
		p.whole(data)
		return
	}
	if p.to == nil || len(data) <= part {
		b := bytes.NewBuffer(p.buf)
		_ = json.Compact(b, []byte(data)) // sound, so it cannot fail
		p.buf = b.Bytes()
		return
	}
	for text := range strings.FieldsFuncSeq(data, func(r rune) bool { return r == '\n' || r == '\r' }) {
		p.whole(text)
	}
}

// whole adds text as it is.
func (p *parts) whole(text string) {
	if p.to == nil || len(text) <= part {
		p.buf = append(p.buf, text...)
		return
	}
	p.flush()
	if _, err := p.to.WriteString(text); p.err == nil {
		p.err = err
	}
	p.buf = p.to.AvailableBuffer()
}

// values adds an array of texts; bytes that are not UTF-8 become {"$bytes": base64}.
func (p *parts) values(values []string) {
	p.add("[")
	for i, value := range values {
		if i > 0 {
			p.add(",")
		}
		if len(p.buf) > part {
			p.flush()
		}
		if utf8.ValidString(value) {
			p.text(value)
			continue
		}
		p.add(`{"$bytes":"`).base64(value)
		p.add(`"}`)
	}
	p.add("]")
}

func (p *parts) base64(value string) {
	const group = part / 3 * 3 // without padding in between
	for p.to != nil && len(value) > group {
		p.buf = base64.RawStdEncoding.AppendEncode(p.buf, []byte(value[:group]))
		value = value[group:]
		p.flush()
	}
	p.buf = base64.RawStdEncoding.AppendEncode(p.buf, []byte(value))
}

// text adds text as a JSON string; what is not UTF-8 becomes U+FFFD.
func (p *parts) text(text string) {
	p.add(`"`)
	for piece := range p.pieces(text) {
		p.piece(piece)
	}
	p.add(`"`)
}

func (p *parts) piece(text string) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			p.odd(text)
			return
		}
	}
	p.buf = append(p.buf, text...)
}

func (p *parts) odd(text string) {
	start := len(p.buf)
	b := bytes.NewBuffer(p.buf)
	to := json.NewEncoder(b)
	to.SetEscapeHTML(false)
	_ = to.Encode(text) // a string into memory cannot fail
	quoted := b.Bytes()
	inside := quoted[start+1 : len(quoted)-2]
	p.buf = append(quoted[:start], inside...)
}
