package entry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fhctl/fhctl/pkg/event"
)

// Entry is the parsed data field of a stream entry. Only the part that Kind
// names is set.
type Entry struct {
	Kind     event.Kind
	Commit   Commit
	Identity Identity
	Account  Account
}

// DID is the account the entry is about.
func (e *Entry) DID() string {
	switch e.Kind {
	case event.KindCommit:
		return e.Commit.Repo
	case event.KindIdentity:
		return e.Identity.DID
	}
	return e.Account.DID
}

// Commit is the data of a commit.
type Commit struct {
	Repo string `json:"repo"`
	Ops  []Op   `json:"ops"`
}

// Op is one op of a commit. CID is text; CID and Record are empty on delete.
type Op struct {
	Action string          `json:"action"`
	Path   string          `json:"path"`
	CID    string          `json:"cid,omitempty"`
	Record json.RawMessage `json:"record,omitempty"`
}

// Collection is the part of the path before the slash.
func (o *Op) Collection() string {
	collection, _, _ := strings.Cut(o.Path, "/")
	return collection
}

// Identity is the data of an identity event. Handle is nil when it was null.
type Identity struct {
	DID    string  `json:"did"`
	Handle *string `json:"handle"`
}

// Account is the data of an account event. Status is nil when absent.
type Account struct {
	DID    string  `json:"did"`
	Active *bool   `json:"active"`
	Status *string `json:"status,omitempty"`
}

var errShape = errors.New("entry breaks the contract")

// Parse reads what Append wrote, given the entry's type field. It is strict: an
// unknown type, an unknown or missing key, a wrong type or trailing bytes is an
// error. Entries of other writers may carry more keys; reading them is not its
// purpose.
func Parse(typ string, data []byte) (*Entry, error) {
	e := &Entry{}
	var err error
	switch typ {
	case "commit":
		e.Kind, err = event.KindCommit, decode(data, &e.Commit)
	case "identity":
		e.Kind, err = event.KindIdentity, decode(data, &e.Identity)
	case "account":
		e.Kind, err = event.KindAccount, decode(data, &e.Account)
	default:
		return nil, fmt.Errorf("parse entry: %w: unknown type", errShape)
	}
	if err == nil {
		err = e.check()
	}
	if err != nil {
		return nil, fmt.Errorf("parse %s entry: %w", typ, err)
	}
	return e, nil
}

func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: bytes after the object", errShape)
	}
	return nil
}

// check finds what the types alone do not.
func (e *Entry) check() error {
	switch {
	case e.DID() == "":
		return fmt.Errorf("%w: no DID", errShape)
	case e.Kind == event.KindCommit && e.Commit.Ops == nil:
		return fmt.Errorf("%w: no ops", errShape)
	case e.Kind == event.KindAccount && e.Account.Active == nil:
		return fmt.Errorf("%w: no active", errShape)
	}
	for i := range e.Commit.Ops {
		if err := e.Commit.Ops[i].check(); err != nil {
			return fmt.Errorf("op %d: %w", i, err)
		}
	}
	return nil
}

func (o *Op) check() error {
	full := o.CID != "" && len(o.Record) > 0
	empty := o.CID == "" && len(o.Record) == 0
	switch {
	case o.Path == "":
		return fmt.Errorf("%w: no path", errShape)
	case o.Action == "delete" && empty:
		return nil
	case (o.Action == "create" || o.Action == "update") && full:
		return nil
	}
	return fmt.Errorf("%w: action, cid and record do not fit", errShape)
}
