package syntax

import "strings"

// Lengths in bytes, from the atproto specifications.
const (
	maxNSID      = 317
	maxRecordKey = 512
	maxHandle    = 253
	maxLabel     = 63
	maxATURI     = 8192
	tidLen       = 13
)

// ValidNSID reports whether id is a namespaced identifier: at least three
// segments joined by dots, a domain name reversed and then a name of letters and
// digits that begins with a letter; at most 317 bytes (V4).
func ValidNSID[T Text](id T) bool {
	if len(id) > maxNSID || len(id) == 0 || isDigit(id[0]) {
		return false
	}
	start, segments := 0, 1
	for i := range len(id) {
		if id[i] == '.' {
			if !label([]byte(id[start:i])) {
				return false
			}
			start, segments = i+1, segments+1
		}
	}
	return segments >= 3 && name([]byte(id[start:]))
}

// label is one part of a domain name: 1 to 63 letters, digits and inner hyphens.
func label(s []byte) bool {
	if len(s) == 0 || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range s {
		if !isAlnum(c) && c != '-' {
			return false
		}
	}
	return true
}

// name is the last part of an NSID.
func name(s []byte) bool {
	if len(s) == 0 || len(s) > maxLabel || isDigit(s[0]) {
		return false
	}
	for _, c := range s {
		if !isAlnum(c) {
			return false
		}
	}
	return true
}

// ValidRecordKey reports whether key may name a record: 1 to 512 of letters,
// digits and "_~.:-", but not "." or ".." (V4).
func ValidRecordKey[T Text](key T) bool {
	if len(key) == 0 || len(key) > maxRecordKey || string(key) == "." || string(key) == ".." {
		return false
	}
	for i := range len(key) {
		switch c := key[i]; {
		case isAlnum(c):
		case c == '_' || c == '~' || c == '.' || c == ':' || c == '-':
		default:
			return false
		}
	}
	return true
}

// ValidPath reports whether path is a strict op path: an NSID, one slash and a
// record key (V4).
func ValidPath[T Text](path T) bool {
	for i := range len(path) {
		if path[i] == '/' {
			return ValidNSID(path[:i]) && ValidRecordKey(path[i+1:])
		}
	}
	return false
}

// ValidTID reports whether id is a timestamp identifier, as revs are (V2):
// ^[234567a-j][234567a-z]{12}$. TIDs sort by time as strings.
func ValidTID[T Text](id T) bool {
	if len(id) != tidLen || id[0] > 'j' {
		return false
	}
	for i := range len(id) {
		if _, ok := base32Digit(id[i]); !ok {
			return false
		}
	}
	return true
}

// ValidHandle reports whether handle has the form of one: a domain name of at
// least two labels, at most 253 bytes, whose last begins with a letter. Case is
// free. Names that may never be registered, such as handle.invalid, pass.
func ValidHandle[T Text](handle T) bool {
	if len(handle) > maxHandle {
		return false
	}
	start, labels := 0, 1
	for i := range len(handle) {
		if handle[i] == '.' {
			if !label([]byte(handle[start:i])) {
				return false
			}
			start, labels = i+1, labels+1
		}
	}
	last := []byte(handle[start:])
	return labels >= 2 && label(last) && !isDigit(last[0])
}

// ATURI is an at:// address, split. Collection and RecordKey are empty where
// the address ends before them.
type ATURI struct {
	Authority  string // a DID or a handle
	Collection string
	RecordKey  string
}

// ParseATURI splits the strict form of an at:// address, without fragment or
// query; ok is false when any part breaks its own syntax.
func ParseATURI(text string) (uri ATURI, ok bool) {
	rest, ok := strings.CutPrefix(text, "at://")
	if !ok || len(text) > maxATURI {
		return ATURI{}, false
	}
	parts := strings.Split(rest, "/")
	uri.Authority = parts[0]
	ok = StrictDID(parts[0]) || ValidHandle(parts[0])
	if len(parts) > 1 {
		uri.Collection = parts[1]
		ok = ok && ValidNSID(parts[1])
	}
	if len(parts) > 2 {
		uri.RecordKey = parts[2]
		ok = ok && ValidRecordKey(parts[2])
	}
	if !ok || len(parts) > 3 {
		return ATURI{}, false
	}
	return uri, true
}

// ValidCID reports whether text may stand where a lexicon wants a CID: atproto's
// loose rule, 8 to 256 letters, digits, '+' and '=', and no CIDv0. ParseCID
// reads what it means.
func ValidCID[T Text](text T) bool {
	if len(text) < 8 || len(text) > 256 || string(text[:3]) == "Qmb" {
		return false
	}
	for i := range len(text) {
		if c := text[i]; !isAlnum(c) && c != '+' && c != '=' {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlnum(c byte) bool { return isLower(c) || isUpper(c) || isDigit(c) }
