package dagcbor

import (
	"bytes"
	"slices"

	"github.com/fhctl/fhctl/pkg/event"
)

// open checks a container before its content is read.
func (t *Transcoder) open(n uint64, at, depth int) int {
	if depth > MaxDepth {
		return t.fail(event.ReasonRecordLimit, at, "nested too deep")
	}
	if n > MaxElements {
		return t.fail(event.ReasonRecordLimit, at, "too many elements")
	}
	return done
}

func (t *Transcoder) array(dst []byte, n uint64, at, depth int) ([]byte, int) {
	if fault := t.open(n, at, depth); fault < 0 {
		return dst, fault
	}
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, at = t.value(dst, at, depth); at < 0 {
			return dst, at
		}
	}
	return append(dst, ']'), at
}

func (t *Transcoder) object(dst []byte, n uint64, at, depth int) ([]byte, int) {
	if fault := t.open(n, at, depth); fault < 0 {
		return dst, fault
	}
	base, sorted := len(t.keys), true
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		var key span
		if dst, key = t.key(dst, at); key.end < 0 {
			return dst, key.end
		}
		sorted = sorted && (i == 0 || t.rises(t.keys[len(t.keys)-1], key))
		t.keys = append(t.keys, key)
		if depth == 1 && string(t.src[key.start:key.end]) == "$type" {
			t.noteType(key.end)
		}
		if dst, at = t.value(append(dst, ':'), key.end, depth); at < 0 {
			return dst, at
		}
	}
	if !sorted {
		t.info.NonCanonical = true
		if t.repeats(t.keys[base:]) {
			return dst, t.fail(event.ReasonRecordCBOR, at, "duplicate map key")
		}
	}
	t.keys = t.keys[:base]
	return append(dst, '}'), at
}

// key appends the map key at src[at:]; a negative end is a fault.
func (t *Transcoder) key(dst []byte, at int) ([]byte, span) {
	major, n, next := t.head(at)
	switch {
	case next < 0:
		return dst, span{end: next}
	case major != MajorText:
		return dst, span{end: t.fail(event.ReasonRecordCBOR, at, "map key is not text")}
	case n > MaxKey:
		return dst, span{end: t.fail(event.ReasonRecordLimit, at, "map key too long")}
	}
	dst, end := t.text(dst, n, next)
	return dst, span{next, end}
}

// noteType keeps the text at src[at:] as the record's type, if it is text.
func (t *Transcoder) noteType(at int) {
	if h, next := ReadHead(t.src, at); next > 0 && h.Major == MajorText && h.Arg <= uint64(len(t.src)-next) {
		end := next + int(h.Arg)
		t.info.Type = t.src[next:end:end]
	}
}

// rises reports whether b may follow a: longer, or bytewise greater (D1).
func (t *Transcoder) rises(a, b span) bool {
	if la, lb := a.end-a.start, b.end-b.start; la != lb {
		return la < lb
	}
	return bytes.Compare(t.src[a.start:a.end], t.src[b.start:b.end]) < 0
}

// repeats sorts keys to find equal ones without comparing each with each.
func (t *Transcoder) repeats(keys []span) bool {
	text := func(k span) []byte { return t.src[k.start:k.end] }
	slices.SortFunc(keys, func(a, b span) int { return bytes.Compare(text(a), text(b)) })
	for i := 1; i < len(keys); i++ {
		if bytes.Equal(text(keys[i-1]), text(keys[i])) {
			return true
		}
	}
	return false
}
