package bench

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
)

// Bare is the least that makes a commit's entry out of a sound frame: it trusts
// everything but the hash of a used block, and panics where that was a mistake.
// It is the yardstick for what fhctl's checks cost.
type Bare struct {
	ops []bareOp
}

type bareOp struct{ action, path, cid, block []byte }

// Append appends the entry of a #commit, or nothing.
func (b *Bare) Append(dst, frame []byte) []byte {
	payload := skip(frame, 0)
	if !bytes.Contains(frame[:payload], []byte("#commit")) {
		return dst
	}
	var repo, car []byte
	_, n, at := head(frame, payload)
	for range n {
		var key []byte
		key, at = str(frame, at)
		switch string(key) {
		case "repo":
			repo, at = str(frame, at)
		case "blocks":
			car, at = str(frame, at)
		case "ops":
			at = b.readOps(frame, at)
		default:
			at = skip(frame, at)
		}
	}
	b.find(car)
	return b.write(dst, repo)
}

func (b *Bare) readOps(data []byte, at int) int {
	_, n, at := head(data, at)
	b.ops = b.ops[:0]
	for range n {
		var op bareOp
		var fields int
		_, fields, at = head(data, at)
		for range fields {
			var key []byte
			key, at = str(data, at)
			switch string(key) {
			case "action":
				op.action, at = str(data, at)
			case "path":
				op.path, at = str(data, at)
			case "cid":
				if data[at] == 0xf6 {
					at++
					continue
				}
				_, _, at = head(data, at)
				op.cid, at = str(data, at)
				op.cid = op.cid[1:]
			default:
				at = skip(data, at)
			}
		}
		b.ops = append(b.ops, op)
	}
	return at
}

// find gives each op its block, if the hash is right.
func (b *Bare) find(car []byte) {
	header, n := binary.Uvarint(car)
	for at := n + int(header); at < len(car); {
		size, n := binary.Uvarint(car[at:])
		section := car[at+n : at+n+int(size)]
		at += n + int(size)
		for i := range b.ops {
			op := &b.ops[i]
			if op.cid == nil || op.block != nil || !bytes.HasPrefix(section, op.cid) {
				continue
			}
			block := section[len(op.cid):]
			if sum := sha256.Sum256(block); bytes.Equal(sum[:], op.cid[4:]) {
				op.block = block
			}
		}
	}
}

func (b *Bare) write(dst, repo []byte) []byte {
	dst = append(append(append(dst, `{"repo":"`...), repo...), `","ops":[`...)
	for i := range b.ops {
		op := &b.ops[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `{"action":"`...), op.action...), `","path":"`...)
		dst = append(append(dst, op.path...), '"')
		if op.block != nil {
			dst = appendBase32(append(dst, `,"cid":"b`...), op.cid)
			dst, _ = appendValue(append(dst, `","record":`...), op.block, 0)
		}
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// head reads an item's head, in any form but the indefinite.
func head(data []byte, at int) (major byte, arg, next int) {
	first := data[at]
	major = first >> 5
	switch info := first & 31; info {
	case 24:
		return major, int(data[at+1]), at + 2
	case 25:
		return major, int(binary.BigEndian.Uint16(data[at+1:])), at + 3
	case 26:
		return major, int(binary.BigEndian.Uint32(data[at+1:])), at + 5
	case 27:
		return major, int(binary.BigEndian.Uint64(data[at+1:])), at + 9
	default:
		return major, int(info), at + 1
	}
}

func str(data []byte, at int) (content []byte, end int) {
	_, n, at := head(data, at)
	return data[at : at+n], at + n
}

func skip(data []byte, at int) int {
	major, n, at := head(data, at)
	switch major {
	case 2, 3:
		return at + n
	case 5:
		n *= 2
		fallthrough
	case 4:
		for range n {
			at = skip(data, at)
		}
	case 6:
		return skip(data, at)
	}
	return at
}

func appendValue(dst, data []byte, at int) ([]byte, int) {
	major, n, next := head(data, at)
	switch major {
	case 0:
		return strconv.AppendInt(dst, int64(n), 10), next
	case 1:
		return strconv.AppendInt(dst, int64(-1-n), 10), next
	case 2:
		dst = base64.RawStdEncoding.AppendEncode(append(dst, `{"$bytes":"`...), data[next:next+n])
		return append(dst, `"}`...), next + n
	case 3:
		return appendText(dst, data[next:next+n]), next + n
	case 4:
		dst = append(dst, '[')
		for i := range n {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst, next = appendValue(dst, data, next)
		}
		return append(dst, ']'), next
	case 5:
		dst = append(dst, '{')
		for i := range n {
			if i > 0 {
				dst = append(dst, ',')
			}
			var key []byte
			key, next = str(data, next)
			dst = append(appendText(dst, key), ':')
			dst, next = appendValue(dst, data, next)
		}
		return append(dst, '}'), next
	case 6:
		cid, end := str(data, next)
		return append(appendBase32(append(dst, `{"$link":"b`...), cid[1:]), `"}`...), end
	}
	switch data[at] {
	case 0xf4:
		return append(dst, "false"...), next
	case 0xf5:
		return append(dst, "true"...), next
	}
	return append(dst, "null"...), next
}

func appendText(dst, text []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	return append(append(dst, text[from:]...), '"')
}

func appendBase32(dst, src []byte) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	var v, bits uint
	for _, b := range src {
		v, bits = v<<8|uint(b), bits+8
		for ; bits >= 5; bits -= 5 {
			dst = append(dst, digits[v>>(bits-5)&31])
		}
	}
	if bits > 0 {
		dst = append(dst, digits[v<<(5-bits)&31])
	}
	return dst
}
