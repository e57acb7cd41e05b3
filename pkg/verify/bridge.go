package verify

import (
	"encoding/hex"
	"strings"

	"github.com/fhctl/fhctl/pkg/syntax"
)

// bridged reports whether a commit has a record in the form of the Python bridge,
// which names the type py_type and never $type.
func (t *tape) bridged() bool {
	ops := t.get(0, "ops")
	if t.kind(0) != kindObject || t.kind(ops) != kindArray {
		return false
	}
	for _, op := range t.elements(ops) {
		if t.kind(op) != kindObject {
			continue
		}
		record := t.get(op, "record")
		if t.kind(record) == kindObject && t.get(record, "py_type") >= 0 && t.get(record, "$type") < 0 {
			return true
		}
	}
	return false
}

// likeness compares an entry of the bridge with one that is exact, setting aside
// what the bridge does to every record: names in snake_case, py_type for $type and
// where the block has no type, null for what is absent, links and bytes in hex.
type likeness struct {
	bridge, exact *tape
	exactLeft     bool // which of the two gives the places of differences
	// hexOnly: of a lexicon that it does not know, the bridge keeps names and
	// nulls, so that only links and bytes are another.
	hexOnly bool
}

// at is the place of a difference on the left tape.
func (l *likeness) at(b, e int32) int32 {
	if l.exactLeft {
		return e
	}
	return b
}

// differ is the first place that differs all the same, on the left tape; -1 when
// there is none.
func (l *likeness) differ(b, e int32) int32 {
	kind := l.bridge.kind(b)
	switch {
	case l.exact.kind(e) == kindObject && l.exact.count(e) == 1 && l.unwrapped(b, e):
		return -1
	case kind != l.exact.kind(e):
		return l.at(b, e)
	}
	same := true
	switch kind {
	case kindString:
		same = l.bridge.say(b) == l.exact.say(e)
	case kindNumber:
		same = l.bridge.digitsOf(b) == l.exact.digitsOf(e)
	case kindArray:
		return l.array(b, e)
	case kindObject:
		return l.object(b, e)
	}
	if !same {
		return l.at(b, e)
	}
	return -1
}

func (l *likeness) array(b, e int32) int32 {
	if l.bridge.count(b) != l.exact.count(e) {
		return l.at(b, e)
	}
	other := e + 2
	for value := range l.bridge.children(b) {
		if bad := l.differ(value, other); bad >= 0 {
			return bad
		}
		other = l.exact.next(other)
	}
	return -1
}

// object pairs the members of two objects by their names.
func (l *likeness) object(b, e int32) int32 {
	const mostMembers = 10_000 // a record of the bridge has some tens
	members := l.bridge.count(b)
	if l.hexOnly && members != l.exact.count(e) || max(members, l.exact.count(e)) > mostMembers {
		return l.at(b, e)
	}
	names := l.namesOf(e)
	met := make(map[int32]bool, len(names.exact))
	for key, value := range l.bridge.members(b) {
		name := l.bridge.say(key)
		other, found := names.find(name, l.hexOnly)
		switch {
		case !found && l.hexOnly:
			return l.at(value, e)
		case found && l.bridge.kind(value) == kindNull && l.exact.kind(other) != kindNull:
			return l.at(value, other)
		case found:
			met[other] = true
			if bad := l.differ(value, other); bad >= 0 {
				return bad
			}
		case name != "py_type" && l.bridge.kind(value) != kindNull:
			return l.at(value, e)
		}
	}
	for _, value := range l.exact.members(e) {
		if !met[value] && l.exact.kind(value) != kindNull {
			return l.at(b, value)
		}
	}
	return -1
}

// memberNames finds the members of an exact object, as they are named and as the
// bridge names them.
type memberNames struct{ exact, folded map[string]int32 }

func (l *likeness) namesOf(e int32) memberNames {
	n := memberNames{exact: map[string]int32{}, folded: map[string]int32{}}
	for key, value := range l.exact.members(e) {
		name := l.exact.say(key)
		n.exact[name], n.folded[fold(name)] = value, value
	}
	return n
}

func (n *memberNames) find(name string, asIs bool) (int32, bool) {
	if name == "py_type" && !asIs {
		name = "$type"
	}
	if value, ok := n.exact[name]; ok || asIs {
		return value, ok
	}
	value, ok := n.folded[fold(name)]
	return value, ok
}

// fold is a name without what snake_case changes of it: how it splits words at
// capitals and digits need not be known.
func fold(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// unwrapped compares a link or bytes of the exact record with what the bridge makes
// of it: plain hex, or the CID as text. A blob's ref is a link.
func (l *likeness) unwrapped(b, e int32) bool {
	bare := l.bridge.sayOr(b)
	if link := l.exact.get(e, "$link"); link >= 0 {
		text := l.exact.sayOr(link)
		if l.bridge.kind(b) == kindObject && l.bridge.count(b) == 1 {
			bare = l.bridge.sayOr(l.bridge.get(b, "link"))
		}
		cid, err := syntax.ParseCID(text)
		return err == nil && bare != "" && (bare == text || bare == hex.EncodeToString(cid))
	}
	if value := l.exact.get(e, "$bytes"); l.exact.kind(value) == kindString && l.bridge.kind(b) == kindString {
		// The encoder knows which base64 is meant, and writes a head first.
		c := block{t: l.exact}
		return c.bytes(value) && strings.HasSuffix(hex.EncodeToString(c.buf), bare) && len(bare) == 2*decodedLen(l.exact.say(value))
	}
	return false
}

// decodedLen is how many bytes a base64 text stands for.
func decodedLen(text string) int { return len(strings.TrimRight(text, "=")) * 6 / 8 }
