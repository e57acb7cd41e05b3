package entry

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fhctl/fhctl/pkg/jsonscan"
)

// Outline is a quick look at a data field: whose it is and which ops it holds.
// It is for showing and choosing entries, whoever wrote them, where Parse is for
// judging: unknown keys, missing ones and odd values pass. All strings are views
// of the data. The zero value is ready, and Read may be called again.
type Outline struct {
	DID string // repo, else did; "" when neither is text
	Ops []OpOutline
	// HasOps is false where data has no array of that name, as an identity.
	HasOps bool
	many   bool // there are more ops than are kept
}

// OpOutline is one op. Parts that are missing, or not text, are empty.
type OpOutline struct {
	JSON   string // the whole op, as it stands
	Action string
	Path   string
	Record string // JSON, as it stands
}

// Collection is the part of the path before the slash.
func (o *OpOutline) Collection() string {
	collection, _, _ := strings.Cut(o.Path, "/")
	return collection
}

// Key is the part of the path behind the slash: the record key.
func (o *OpOutline) Key() string {
	_, key, _ := strings.Cut(o.Path, "/")
	return key
}

// mostOps is more than any relay gives: 200. Each op kept takes 64 bytes, and of ops
// that are a number 13 MB of data hold six million.
const mostOps = 10_000

// What Read refuses.
var (
	errNotJSON   = errors.New("not JSON")
	errNotObject = errors.New("not a JSON object")
	errNotUTF8   = errors.New("not UTF-8")
	errManyOps   = fmt.Errorf("of more than %d ops", mostOps)
)

// Read looks at data once, end to end: a nil error means that it is one JSON
// object in UTF-8, so that it may be passed on as it stands. Of keys that occur
// twice the last counts, as in JavaScript. More than 10,000 ops are an error.
func (o *Outline) Read(data string) error {
	clear(o.Ops) // they point into other data, which is large at times
	*o = Outline{Ops: o.Ops[:0]}
	s := jsonscan.NewScanner(data)
	if !s.At('{') {
		if s.Skip(0) && s.End() {
			return errNotObject
		}
		return errNotJSON
	}
	var did, repo string
	ok := s.Members(func(key string) bool {
		switch key {
		case "did":
			return s.Text(&did)
		case "repo":
			return s.Text(&repo)
		case "ops":
			return o.readOps(&s)
		}
		return s.Skip(1)
	})
	if !ok || !s.End() {
		return errNotJSON
	}
	if !s.IsUTF8() {
		return errNotUTF8
	}
	if o.many {
		o.Ops = o.Ops[:0]
		return errManyOps
	}
	if o.DID = repo; repo == "" {
		o.DID = did
	}
	return nil
}

func (o *Outline) readOps(s *jsonscan.Scanner) bool {
	o.Ops, o.HasOps, o.many = o.Ops[:0], s.At('['), false
	if !o.HasOps {
		return s.Skip(1)
	}
	return s.Elements(func() bool {
		if len(o.Ops) == mostOps {
			o.many = true
			return s.Skip(2)
		}
		op := OpOutline{}
		start := s.Pos()
		if !readOp(s, &op) {
			return false
		}
		op.JSON = s.Since(start)
		o.Ops = append(o.Ops, op)
		return true
	})
}

func readOp(s *jsonscan.Scanner, op *OpOutline) bool {
	if !s.At('{') {
		return s.Skip(2)
	}
	return s.Members(func(key string) bool {
		switch key {
		case "action":
			return s.Text(&op.Action)
		case "path":
			return s.Text(&op.Path)
		case "record":
			start := s.Pos()
			ok := s.Skip(3)
			op.Record = s.Since(start)
			return ok
		}
		return s.Skip(3)
	})
}
