package verify

import (
	"fmt"
	"strings"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/verify/block"
)

// verdict is what became of a record: the rule it breaks, where, and a word
// on it. The empty rule means nothing is wrong.
type verdict struct {
	rule   Rule
	node   int32 // where
	detail string
}

// records judges records by the blocks that they came from.
type records struct{ block.Encoder }

// judge judges the record at a node against the text of its cid. The order of
// suspicion is the package comment's.
func (b *records) judge(i int32, cid string) verdict {
	if v := b.routable(i); v.rule != "" {
		return v
	}
	switch {
	case string(b.CID(i, block.Form{})) == cid:
		return b.exact(i)
	case b.Large:
		return tooLarge(i)
	}
	if b.Fraction > 0 {
		return verdict{RecordNumber, b.Fraction, "no integer of 64 bits"}
	}
	if string(b.CID(i, block.Form{Sort: true})) == cid {
		return b.exact(i)
	}
	if b.Twice > 0 {
		return verdict{RecordCID, b.Twice, "a key is given twice"}
	}
	if string(b.CID(i, block.Form{Literal: true})) == cid || string(b.CID(i, block.Form{Literal: true, Sort: true})) == cid {
		return verdict{}
	}
	return b.diagnose(i, cid)
}

// exact: the record is the block that the cid names.
func (b *records) exact(i int32) verdict {
	switch {
	case b.Padded > 0:
		return verdict{RecordLink, b.Padded, "the base64 of $bytes is padded"}
	}
	return verdict{}
}

// tooLarge is the verdict on a record that no block may hold.
func tooLarge(i int32) verdict {
	return verdict{DataSize, i, fmt.Sprintf("a block of more than %d bytes, which is the limit", dagcbor.MaxRecord)}
}

// routable: workers choose by the record's own $type.
func (b *records) routable(i int32) verdict {
	t := b.Tape
	if t.Kind(i) != jsonscan.Object {
		return verdict{RecordType, i, "the record is not an object"}
	}
	typ := t.Get(i, "$type")
	if t.Kind(typ) == jsonscan.String && !t.Is(typ, "") {
		return verdict{}
	}
	if at := t.Get(i, "py_type"); at >= 0 {
		return verdict{RecordCasing, at, "py_type stands for $type"}
	}
	if typ < 0 {
		return verdict{RecordType, i, "no $type"}
	}
	return verdict{RecordType, typ, "$type is not text, or empty"}
}

// diagnose finds the likeliest reason why a record is not its block.
func (b *records) diagnose(i int32, cid string) verdict {
	s := suspects{t: b.Tape, snake: -1, null: -1, untyped: -1, shape: -1}
	s.walk(i, "")
	ours := ownedLexicon(b.Tape.Text(b.Tape.Get(i, "$type")))
	proven := func(f block.Form) bool { return string(b.CID(i, f)) == cid }
	const proof = "; without it the record hashes to its cid"
	switch {
	case s.snake >= 0 && (s.python || ours || proven(block.Form{Sort: true, Camel: true}) || proven(block.Form{Sort: true, Camel: true, NoNulls: true})):
		return verdict{RecordCasing, s.snake, "the block has no key " + clip(b.Tape.Text(s.snake-1))}
	case s.null >= 0 && proven(block.Form{Sort: true, NoNulls: true}):
		return verdict{RecordNull, s.null, "null" + proof}
	case s.null >= 0 && ours:
		return verdict{RecordNull, s.null, "null, which this lexicon does not have"}
	case s.untyped >= 0 && ours:
		return verdict{RecordType, s.untyped, "no $type"}
	case s.shape >= 0:
		return verdict{RecordLink, s.shape, s.shapeDetail}
	}
	return verdict{RecordCID, i, "it hashes to " + string(b.CID(i, block.Form{Sort: true}))}
}

// ownedLexicon reports whether a $type is of the lexicons that have neither
// snake_case keys nor null.
func ownedLexicon(typ string) bool {
	return strings.HasPrefix(typ, "app.bsky.") || strings.HasPrefix(typ, "chat.bsky.") || strings.HasPrefix(typ, "com.atproto.")
}

// suspects are the first odd places of a record, by what may have made them;
// -1 when there is none.
type suspects struct {
	t                           *block.Tape
	snake, null, untyped, shape int32
	shapeDetail                 string
	python                      bool // a py_type occurred
}

// unions are the keys whose values say what they are.
var unions = map[string]bool{"embed": true, "media": true, "features": true, "labels": true, "allow": true, "embeddingRules": true}

// walk looks at node i, the value of key.
func (s *suspects) walk(i int32, key string) {
	t := s.t
	switch t.Kind(i) {
	case jsonscan.Null:
		s.note(&s.null, i)
	case jsonscan.Array:
		for _, element := range t.Elements(i) {
			s.walk(element, key)
		}
	case jsonscan.Object:
		s.object(i, key)
	}
}

func (s *suspects) object(i int32, key string) {
	t := s.t
	if unions[key] && t.Kind(t.Get(i, "$type")) != jsonscan.String && t.Get(i, "py_type") < 0 && t.Get(i, "$link") < 0 {
		s.note(&s.untyped, i)
	}
	s.shapes(i)
	for k, value := range t.Members(i) {
		name := t.Text(k)
		if block.IsSnake(name) {
			s.note(&s.snake, value)
			s.python = s.python || name == "py_type"
		}
		s.walk(value, name)
	}
}

// shapes looks at links, bytes and blobs (J1, J3).
func (s *suspects) shapes(i int32) {
	t := s.t
	one := t.Count(i) == 1
	if link := t.Get(i, "$link"); link >= 0 {
		_, err := syntax.ParseCID(t.TextOr(link))
		switch {
		case !one:
			s.odd(i, "$link has other keys beside it")
		case err != nil:
			s.odd(link, "$link is not a CID")
		}
	}
	if bytes := t.Get(i, "$bytes"); bytes >= 0 {
		e := block.Encoder{Tape: t}
		_, isBase64 := e.Bytes(bytes)
		switch {
		case !one:
			s.odd(i, "$bytes has other keys beside it")
		case !isBase64:
			s.odd(bytes, "$bytes is not base64")
		}
	}
	ref, mime := t.Get(i, "ref"), t.Get(i, "mimeType")
	if ref < 0 {
		return
	}
	blob := t.IsText(t.Get(i, "$type"), "blob")
	switch {
	case (blob || mime >= 0) && (t.Kind(ref) != jsonscan.Object || t.Get(ref, "$link") < 0):
		s.odd(ref, "a blob's ref is not a {\"$link\"}")
	case !blob && mime >= 0:
		s.note(&s.untyped, i)
	}
}

func (s *suspects) odd(i int32, detail string) {
	if s.shape < 0 {
		s.shape, s.shapeDetail = i, detail
	}
}

func (s *suspects) note(first *int32, i int32) {
	if *first < 0 {
		*first = i
	}
}
