package frame

import (
	"slices"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
)

// PeekSeq is the payload's seq, read without decoding the rest. ok is false
// when there is none, it is not valid (Q1), or bytes before it are malformed or
// of indefinite length; what follows it is not looked at.
func PeekSeq(data []byte) (seq event.Seq, ok bool) {
	at, _ := locate(data, "seq")
	if at == 0 {
		return 0, false
	}
	h, _ := dagcbor.ReadHead(data, at)
	if h.Major != dagcbor.MajorUint || h.Arg > uint64(event.MaxSeq) {
		return 0, false
	}
	seq = event.Seq(h.Arg)
	return seq, seq.Valid()
}

// peekBytes bounds what PeekEvent copies.
const peekBytes = 64 << 10

// PeekEvent is PeekSeq for the four kinds of event alone: a frame of another
// type yields nothing, even if it has a seq. Unlike PeekSeq it reads indefinite
// lengths too, at the cost of a copy, in frames of up to 64 KiB.
func PeekEvent(data []byte) (seq event.Seq, ok bool) {
	if seq, ok = peekEvent(data); ok {
		return seq, true
	}
	if len(data) > peekBytes {
		return 0, false
	}
	form, end, err := dagcbor.Definite(nil, data)
	if err != nil || end == len(data) {
		return 0, false
	}
	if form, _, err = dagcbor.Definite(form, data[end:]); err != nil {
		return 0, false
	}
	return peekEvent(form)
}

func peekEvent(data []byte) (seq event.Seq, ok bool) {
	f := headerFields{data: data}
	if _, err := f.read(); err != nil || f.fault() != "" {
		return 0, false
	}
	switch f.kind() {
	case event.KindCommit, event.KindIdentity, event.KindAccount, event.KindSync:
		return PeekSeq(data)
	}
	return 0, false
}

// numberedHeader is where the payload begins; 0 when the header is no map, or that
// of an #info or error frame, whose seq, should one be there, says nothing (F5).
func numberedHeader(data []byte) (payload int) {
	header, at := dagcbor.ReadHead(data, 0)
	if at == 0 || header.Major != dagcbor.MajorMap {
		return 0
	}
	if header.Indefinite {
		payload, _, err := dagcbor.Skip(data, 0)
		if err != nil {
			return 0
		}
		return payload
	}
	for range header.Arg {
		key, name := dagcbor.ReadHead(data, at)
		value, _, err := dagcbor.Skip(data, at)
		if err != nil {
			return 0
		}
		next, _, err := dagcbor.Skip(data, value)
		if err != nil {
			return 0
		}
		if key.Major == dagcbor.MajorText && unnumbered(string(data[name:value]), data, value, next) {
			return 0
		}
		at = next
	}
	return at
}

// unnumbered reports whether one entry of the header makes the frame an #info or
// an error frame.
func unnumbered(key string, data []byte, value, next int) bool {
	h, text := dagcbor.ReadHead(data, value)
	switch key {
	case "op":
		return h.Major == dagcbor.MajorNegative && h.Arg == 0
	case "t":
		return h.Major == dagcbor.MajorText && !h.Indefinite && string(data[text:next]) == "#info"
	}
	return false
}

// locate is where the payload's first value of this name stands; 0 when there is
// none.
func locate(data []byte, name string) (start, end int) {
	at := numberedHeader(data)
	if at == 0 {
		return 0, 0
	}
	payload, at := dagcbor.ReadHead(data, at)
	if at == 0 || payload.Major != dagcbor.MajorMap || payload.Indefinite {
		return 0, 0
	}
	for range payload.Arg {
		key, next := dagcbor.ReadHead(data, at)
		value, _, err := dagcbor.Skip(data, at)
		if err != nil {
			return 0, 0
		}
		found := key.Major == dagcbor.MajorText && string(data[next:value]) == name
		if at, _, err = dagcbor.Skip(data, value); err != nil {
			return 0, 0
		}
		if found {
			return value, at
		}
	}
	return 0, 0
}

// SetSeq appends data to dst with the payload's seq replaced and every other
// byte kept: to play a recording again under new numbers. ok is false, and dst
// unchanged, when the frame has no seq, as #info and error frames.
func SetSeq(dst, data []byte, seq event.Seq) (out []byte, ok bool) {
	start, end := locate(data, "seq")
	if start == 0 || seq < 0 {
		return dst, false
	}
	dst = slices.Grow(dst, len(data)+8)
	dst = append(dst, data[:start]...)
	dst = dagcbor.AppendHead(dst, dagcbor.MajorUint, uint64(seq))
	return append(dst, data[end:]...), true
}

// SetTime appends data to dst with the payload's time replaced and every other
// byte kept. ok is false, and dst unchanged, when the frame has none.
func SetTime(dst, data []byte, sent string) (out []byte, ok bool) {
	start, end := locate(data, "time")
	if start == 0 {
		return dst, false
	}
	dst = append(dst, data[:start]...)
	dst = dagcbor.AppendText(dst, sent)
	return append(dst, data[end:]...), true
}
