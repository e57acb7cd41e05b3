package verify

import (
	"encoding/hex"
	"strings"

	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/verify/block"
)

// ofBridge reports whether a commit has a record in the form of the Python bridge,
// which names the type py_type and never $type.
func ofBridge(t *block.Tape) bool {
	ops := t.Get(0, "ops")
	if t.Kind(0) != jsonscan.Object || t.Kind(ops) != jsonscan.Array {
		return false
	}
	for _, op := range t.Elements(ops) {
		if t.Kind(op) != jsonscan.Object {
			continue
		}
		record := t.Get(op, "record")
		if t.Kind(record) == jsonscan.Object && t.Get(record, "py_type") >= 0 && t.Get(record, "$type") < 0 {
			return true
		}
	}
	return false
}

// likeness compares an entry of the bridge with one that is exact, setting aside
// what the bridge does to every record: names in snake_case, py_type for $type and
// where the block has no type, null for what is absent, links and bytes in hex.
type likeness struct {
	bridge, exact *block.Tape
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
	kind := l.bridge.Kind(b)
	switch {
	case l.exact.Kind(e) == jsonscan.Object && l.exact.Count(e) == 1 && l.unwrapped(b, e):
		return -1
	case kind != l.exact.Kind(e):
		return l.at(b, e)
	}
	same := true
	switch kind {
	case jsonscan.String:
		same = l.bridge.Text(b) == l.exact.Text(e)
	case jsonscan.Number:
		same = l.bridge.Digits(b) == l.exact.Digits(e)
	case jsonscan.Array:
		return l.array(b, e)
	case jsonscan.Object:
		return l.object(b, e)
	}
	if !same {
		return l.at(b, e)
	}
	return -1
}

func (l *likeness) array(b, e int32) int32 {
	if l.bridge.Count(b) != l.exact.Count(e) {
		return l.at(b, e)
	}
	other := e + 2
	for value := range l.bridge.Children(b) {
		if bad := l.differ(value, other); bad >= 0 {
			return bad
		}
		other = l.exact.Next(other)
	}
	return -1
}

// object pairs the members of two objects by their names.
func (l *likeness) object(b, e int32) int32 {
	const mostMembers = 10_000 // a record of the bridge has some tens
	members := l.bridge.Count(b)
	if l.hexOnly && members != l.exact.Count(e) || max(members, l.exact.Count(e)) > mostMembers {
		return l.at(b, e)
	}
	names := l.namesOf(e)
	met := make(map[int32]bool, len(names.exact))
	for key, value := range l.bridge.Members(b) {
		name := l.bridge.Text(key)
		other, found := names.find(name, l.hexOnly)
		switch {
		case !found && l.hexOnly:
			return l.at(value, e)
		case found && l.bridge.Kind(value) == jsonscan.Null && l.exact.Kind(other) != jsonscan.Null:
			return l.at(value, other)
		case found:
			met[other] = true
			if bad := l.differ(value, other); bad >= 0 {
				return bad
			}
		case name != "py_type" && l.bridge.Kind(value) != jsonscan.Null:
			return l.at(value, e)
		}
	}
	for _, value := range l.exact.Members(e) {
		if !met[value] && l.exact.Kind(value) != jsonscan.Null {
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
	for key, value := range l.exact.Members(e) {
		name := l.exact.Text(key)
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
	said := l.bridge.TextOr(b)
	if link := l.exact.Get(e, "$link"); link >= 0 {
		text := l.exact.TextOr(link)
		if l.bridge.Kind(b) == jsonscan.Object && l.bridge.Count(b) == 1 {
			said = l.bridge.TextOr(l.bridge.Get(b, "link"))
		}
		cid, err := syntax.ParseCID(text)
		return err == nil && said != "" && (said == text || said == hex.EncodeToString(cid))
	}
	if value := l.exact.Get(e, "$bytes"); value >= 0 && l.bridge.Kind(b) == jsonscan.String {
		encoder := block.Encoder{Tape: l.exact} // which knows what base64 is meant
		raw, ok := encoder.Bytes(value)
		return ok && said == hex.EncodeToString(raw)
	}
	return false
}
