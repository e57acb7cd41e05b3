package syntax

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The multicodecs a CID of atproto may name (D5).
const (
	CodecDAGCBOR byte = 0x71 // records, commits and MST nodes
	CodecRaw     byte = 0x55 // blobs
)

// CIDLen is the binary length of an atproto CID: version, codec, hash
// function, hash length, and 32 bytes of SHA-256.
const CIDLen = 36

// maxCIDLen bounds CIDs of other makes, in bytes: room for a 64-byte hash, its
// varints, and some more (D5 names about 100).
const maxCIDLen = 112

// cidPrefix lengths and bytes of the atproto form.
const (
	cidVersion  = 0x01
	hashSHA256  = 0x12
	sha256Bytes = 0x20
)

// SumCID is the CIDv1 of data under codec with SHA-256: CIDLen fresh bytes.
func SumCID(codec byte, data []byte) []byte {
	sum := sha256.Sum256(data)
	cid := make([]byte, 0, CIDLen)
	cid = append(cid, cidVersion, codec, hashSHA256, sha256Bytes)
	return append(cid, sum[:]...)
}

// StrictCID reports whether cid is an atproto CID under codec: version 1,
// SHA-256, CIDLen bytes (D5).
func StrictCID(cid []byte, codec byte) bool {
	return len(cid) == CIDLen &&
		cid[0] == cidVersion && cid[1] == codec && cid[2] == hashSHA256 && cid[3] == sha256Bytes
}

// CIDSize is the length of the binary CID at the front of data, which may go
// on after it: the 34 bytes of a CIDv0, or a CIDv1 of any codec and hash
// (D5). It is 0 when no well-formed CID of at most 112 bytes is there.
func CIDSize(data []byte) int {
	if len(data) >= CIDLen && StrictCID(data[:CIDLen], data[1]) && data[1] < 0x80 {
		return CIDLen
	}
	if len(data) >= 2 && data[0] == hashSHA256 && data[1] == sha256Bytes {
		return wholeLength(data, 2, sha256Bytes)
	}
	return cidV1Size(data)
}

// cidV1Size reads version, codec, hash function and hash length as varints.
func cidV1Size(data []byte) int {
	at := 0
	var fields [4]uint64
	for i := range fields {
		v, n := Uvarint(data[at:])
		if n <= 0 {
			return 0
		}
		fields[i], at = v, at+n
	}
	if fields[0] != cidVersion || fields[3] == 0 && fields[2] != 0 ||
		fields[2] == hashSHA256 && fields[3] > sha256Bytes {
		return 0
	}
	return wholeLength(data, at, fields[3])
}

// wholeLength is head+digest when data holds that much and it is not absurd.
func wholeLength(data []byte, head int, digest uint64) int {
	if digest > maxCIDLen || head+int(digest) > min(len(data), maxCIDLen) {
		return 0
	}
	return head + int(digest)
}

// Uvarint reads an unsigned LEB128 number of at most nine bytes (63 bits) in
// its shortest form, as multiformats require. n is the bytes read, 0 when data
// ends first, negative when the number is over-long.
func Uvarint(data []byte) (v uint64, n int) {
	for i, b := range data {
		if i == 9 || b == 0 && i > 0 {
			return 0, -1
		}
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

const (
	base32Digits = "abcdefghijklmnopqrstuvwxyz234567"
	base58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
)

// AppendCID appends the text of a binary CID: lower-case base32 with its 'b',
// or bare base58 for a CIDv0 (D5). The bytes are not checked; see CIDSize.
func AppendCID(dst, cid []byte) []byte {
	if len(cid) > 1 && cid[0] == hashSHA256 && cid[1] == sha256Bytes {
		return appendBase58(dst, cid)
	}
	return appendBase32(append(dst, 'b'), cid)
}

// CIDText is AppendCID as a string.
func CIDText(cid []byte) string {
	return string(AppendCID(make([]byte, 0, 64), cid))
}

func appendBase32(dst, src []byte) []byte {
	whole := len(src) / 5
	dst = slices.Grow(dst, 8*(whole+1))
	out := dst[len(dst) : len(dst)+8*whole]
	dst = dst[:len(dst)+8*whole]
	for len(src) >= 5 && len(out) >= 8 {
		binary.BigEndian.PutUint64(out, base32Eight(uint64(src[0])<<32|uint64(binary.BigEndian.Uint32(src[1:5]))))
		src, out = src[5:], out[8:]
	}
	if len(src) == 0 {
		return dst
	}
	var v uint64
	for _, b := range src {
		v = v<<8 | uint64(b)
	}
	bits := 8 * len(src)
	for ; bits >= 5; bits -= 5 {
		dst = append(dst, base32Digits[v>>(bits-5)&31])
	}
	if bits > 0 {
		dst = append(dst, base32Digits[v<<(5-bits)&31])
	}
	return dst
}

// base32Eight is the eight digits of forty bits, all made at once: each byte of
// the result gets five bits, then the character they stand for.
func base32Eight(v uint64) uint64 {
	v = v&0x00000_fffff | v&0xfffff_00000<<12
	v = v&0x000003ff_000003ff | v&0x000ffc00_000ffc00<<6
	v = v&0x001f001f_001f001f | v&0x03e003e0_03e003e0<<3
	const (
		ones = 0x0101_0101_0101_0101
		// From 26 on digits follow '2', not 'a'.
		back = 'a' + 26 - '2'
	)
	late := (v + (128-26)*ones) >> 7 & ones
	return v + 'a'*ones - back*late
}

// appendBase58 divides the whole number by 58 once per digit: quadratic, but
// only ever given the few dozen bytes of a CID.
func appendBase58(dst, src []byte) []byte {
	var digits [2 * maxCIDLen]byte
	n := 0
	for _, b := range src[:min(len(src), maxCIDLen)] {
		carry := int(b)
		for i := range n {
			carry += int(digits[i]) << 8
			digits[i], carry = byte(carry%58), carry/58
		}
		for ; carry > 0; carry /= 58 {
			digits[n] = byte(carry % 58)
			n++
		}
	}
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, base58Digits[digits[i]])
	}
	return dst
}

var errCIDText = errors.New("not a CID")

// ParseCID is the binary form of a CID's text: base32 'b…', base58 'z…', or a
// bare base58 CIDv0 'Qm…'. Text that holds anything besides one well-formed
// CID is an error.
func ParseCID(text string) ([]byte, error) {
	cid, ok := decodeCID(text)
	if !ok || CIDSize(cid) != len(cid) || len(cid) == 0 {
		return nil, fmt.Errorf("parse CID of %d characters: %w", len(text), errCIDText)
	}
	return cid, nil
}

func decodeCID(text string) ([]byte, bool) {
	switch {
	case len(text) < 2 || len(text) > 2*maxCIDLen:
		return nil, false
	case text[0] == 'b':
		return decodeBase32(text[1:])
	case text[0] == 'z':
		cid, ok := decodeBase58(text[1:])
		return cid, ok && len(cid) > 0 && cid[0] == cidVersion
	case text[:2] == "Qm":
		cid, ok := decodeBase58(text)
		return cid, ok && len(cid) == 2+sha256Bytes && cid[0] == hashSHA256
	}
	return nil, false
}

func decodeBase32(text string) ([]byte, bool) {
	out := make([]byte, 0, len(text)*5/8+1)
	var v, bits uint
	for _, c := range []byte(text) {
		d, ok := base32Digit(c)
		if !ok {
			return nil, false
		}
		v, bits = v<<5|d, bits+5
		if bits >= 8 {
			bits -= 8
			out = append(out, byte(v>>bits))
			v &= 1<<bits - 1
		}
	}
	// Left-over bits must be padding only, or two texts would name one CID.
	return out, bits < 5 && v == 0
}

func base32Digit(c byte) (uint, bool) {
	switch {
	case c >= 'a' && c <= 'z':
		return uint(c - 'a'), true
	case c >= '2' && c <= '7':
		return uint(c-'2') + 26, true
	}
	return 0, false
}

func decodeBase58(text string) ([]byte, bool) {
	var rev []byte
	zeros := 0
	for i, c := range []byte(text) {
		carry := indexByte(base58Digits, c)
		if carry < 0 {
			return nil, false
		}
		if carry == 0 && i == zeros {
			zeros++
		}
		for j := range rev {
			carry += int(rev[j]) * 58
			rev[j], carry = byte(carry), carry>>8
		}
		for ; carry > 0; carry >>= 8 {
			rev = append(rev, byte(carry))
		}
	}
	out := make([]byte, zeros, zeros+len(rev))
	for i := len(rev) - 1; i >= 0; i-- {
		out = append(out, rev[i])
	}
	return out, true
}

func indexByte(s string, c byte) int {
	for i := range len(s) {
		if s[i] == c {
			return i
		}
	}
	return -1
}
