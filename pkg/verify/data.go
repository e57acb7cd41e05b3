package verify

import (
	"fmt"
	"strings"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/verify/block"
)

// MaxData is the largest data a sound writer stores, in bytes.
const MaxData = event.MaxData

// data judges the data field of one entry after the other.
type data struct {
	*ledger
	tape    block.Tape
	inner   block.Tape // of the record in hand, where the tape does not hold records
	records records
	seq     event.Seq
	id      string
	did     string // of the entry in hand; "" when it is unusable
}

func (d *data) begin(out *ledger, seq event.Seq, id string) {
	d.ledger, d.seq, d.id, d.did = out, seq, id, ""
}

// bad reports a finding at a node; -1 is the data as a whole.
func (d *data) bad(rule Rule, node int32, format string, args ...any) {
	where := "data"
	if node > 0 {
		where = d.tape.Path(0, node)
	}
	d.badAt(rule, where, format, args...)
}

func (d *data) badAt(rule Rule, where, format string, args ...any) {
	d.found(Finding{Rule: rule, Seq: d.seq, ID: d.id, Where: where, Detail: fmt.Sprintf(format, args...)})
}

func (d *data) judge(kind event.Kind, text string) {
	t := &d.tape
	if len(text) > MaxData {
		d.bad(DataSize, -1, "%d bytes, the limit is %d", len(text), MaxData)
		return
	}
	defer t.Forget()
	switch t.Parse(text) {
	case jsonscan.NotJSON:
		d.bad(DataJSON, -1, "not JSON in UTF-8")
		return
	case jsonscan.Crowded:
		d.bad(DataSize, -1, "it has more values beside its records than can be judged, which is %d", block.MostFlat)
		return
	}
	if t.Kind(0) != jsonscan.Object {
		d.bad(DataObject, -1, "it is %s", kindName(t.Kind(0)))
		return
	}
	for _, name := range reserved {
		if value := t.Get(0, name); value >= 0 {
			d.bad(DataReserved, value, "the key is reserved")
		}
	}
	switch kind {
	case event.KindCommit:
		d.commit()
	case event.KindIdentity:
		d.identity()
	case event.KindAccount:
		d.account()
	}
}

// reserved are keys of the envelope that consumers put around data.
var reserved = []string{"type", "seq", "time", "enriched"}

func kindName(kind byte) string {
	switch kind {
	case 0:
		return "missing"
	case jsonscan.Object:
		return "an object"
	case jsonscan.Array:
		return "an array"
	case jsonscan.String:
		return "text"
	case jsonscan.Number:
		return "a number"
	case jsonscan.Null:
		return "null"
	}
	return "a boolean"
}

// need is the value of a key that must have a kind; -1 when it does not.
func (d *data) need(object int32, name string, kind byte) int32 {
	value := d.tape.Get(object, name)
	if d.tape.Kind(value) == kind {
		return value
	}
	if value >= 0 {
		d.bad(DataKey, value, "it is %s and must be %s", kindName(d.tape.Kind(value)), kindName(kind))
	} else {
		d.bad(DataKey, object, "no key %s", name)
	}
	return -1
}

// owner checks the key that holds the DID.
func (d *data) owner(name string) {
	i := d.need(0, name, jsonscan.String)
	if i < 0 {
		return
	}
	if did := d.tape.Text(i); syntax.ValidDID(did) {
		d.did = did
	} else {
		d.bad(DIDSyntax, i, "%q", clip(did))
	}
}

func (d *data) identity() {
	d.owner("did")
	t := &d.tape
	i := t.Get(0, "handle")
	switch t.Kind(i) {
	case jsonscan.Null:
	case jsonscan.String:
		handle := t.Text(i)
		if strings.HasPrefix(handle, "did:") {
			d.bad(HandleDID, i, "%q", clip(handle))
		} else if !syntax.ValidHandle(handle) {
			d.bad(HandleSyntax, i, "%q", clip(handle))
		}
	case 0:
		d.bad(DataKey, -1, "no key handle; an unknown handle is null")
	default:
		d.bad(DataKey, i, "it is %s and must be text or null", kindName(t.Kind(i)))
	}
}

func (d *data) account() {
	d.owner("did")
	t := &d.tape
	if active := t.Get(0, "active"); t.Kind(active) != jsonscan.True && t.Kind(active) != jsonscan.False {
		if active < 0 {
			d.bad(DataKey, -1, "no key active")
		} else {
			d.bad(DataKey, active, "it is %s and must be a boolean", kindName(t.Kind(active)))
		}
	}
	if status := t.Get(0, "status"); status >= 0 && t.Kind(status) != jsonscan.String {
		d.bad(DataKey, status, "it is %s and must be text, or absent", kindName(t.Kind(status)))
	}
}

func (d *data) commit() {
	d.owner("repo")
	ops := d.need(0, "ops", jsonscan.Array)
	if ops < 0 {
		return
	}
	n := d.tape.Count(ops)
	if n > frame.MaxOps {
		d.bad(DataSize, ops, "%d ops, the limit is %d; the others are not judged", n, frame.MaxOps)
	}
	for i, op := range d.tape.Elements(ops) {
		if i == frame.MaxOps {
			break
		}
		d.sum.Ops++
		if d.tape.Kind(op) != jsonscan.Object {
			d.bad(OpShape, op, "the op is %s", kindName(d.tape.Kind(op)))
			continue
		}
		d.op(op)
	}
}

// opKeys are the values of an op's keys; -1 when absent.
type opKeys struct{ action, path, cid, record int32 }

func (d *data) keys(op int32) opKeys {
	t, k := &d.tape, opKeys{-1, -1, -1, -1}
	for key, value := range t.Members(op) {
		switch t.Text(key) {
		case "action":
			k.action = value
		case "path":
			k.path = value
		case "cid":
			k.cid = value
		case "record":
			k.record = value
		}
	}
	return k
}

func (d *data) op(op int32) {
	t, k := &d.tape, d.keys(op)
	if k.path < 0 || t.Kind(k.path) != jsonscan.String {
		d.need(op, "path", jsonscan.String)
	} else {
		d.path(k.path)
	}
	if k.action < 0 || t.Kind(k.action) != jsonscan.String {
		d.need(op, "action", jsonscan.String)
		return
	}
	switch action := t.Text(k.action); action {
	case "delete":
		if k.cid >= 0 || k.record >= 0 {
			d.bad(OpShape, op, "a delete has a cid or a record")
		}
	case "create", "update":
		d.write(op, k)
	default:
		d.bad(OpShape, k.action, "the action is %q", clip(action))
	}
}

func (d *data) path(i int32) {
	path := d.tape.Text(i)
	if syntax.ValidPath(path) {
		return
	}
	collection, key, ok := strings.Cut(path, "/")
	if !ok || collection == "" || key == "" || strings.Contains(key, "/") {
		d.bad(OpPath, i, "not COLLECTION/KEY")
		return
	}
	d.bad(OpPathStrict, i, "not a collection and a record key")
}

// write checks the cid and the record of a create or update.
func (d *data) write(op int32, k opKeys) {
	t := &d.tape
	if k.record < 0 {
		d.need(op, "record", jsonscan.Object)
	}
	if k.cid < 0 || t.Kind(k.cid) != jsonscan.String {
		d.need(op, "cid", jsonscan.String)
		k.cid = -1
	}
	cid := t.TextOr(k.cid)
	if k.cid >= 0 && !validCID(cid) {
		d.bad(CIDSyntax, k.cid, "it is not one of a record")
		cid = ""
	}
	if k.record < 0 {
		return
	}
	if cid != "" {
		d.sum.Records++
	}
	if t.IsClosed(k.record) {
		d.closedRecord(k.record, cid)
	} else if v := d.record(t, k.record, cid); v.rule != "" {
		d.bad(v.rule, v.node, "%s", v.detail)
	}
}

// record judges the record at a node of a tape; no cid is an empty one.
func (d *data) record(t *block.Tape, i int32, cid string) verdict {
	d.records.Tape = t
	if cid == "" {
		return d.records.routable(i)
	}
	return d.records.judge(i, cid)
}

// closedRecord judges a record that the tape does not hold.
func (d *data) closedRecord(i int32, cid string) {
	defer d.inner.Forget()
	v := tooLarge(0)
	if d.inner.ParseRecord(d.tape.Closed(i)) == jsonscan.Whole {
		v = d.record(&d.inner, 0, cid)
	}
	if v.rule == "" {
		return
	}
	where := d.tape.Path(0, i)
	if v.node > 0 {
		where = join(where, d.inner.Path(0, v.node))
	}
	d.badAt(v.rule, where, "%s", v.detail)
}

// join puts the place inside a record behind the record's own.
func join(where, inside string) string {
	if strings.HasPrefix(inside, "[") {
		return where + inside
	}
	return where + "." + inside
}

// cidChars is the length of an atproto CID as text: b and base32 of 36 bytes.
const cidChars = 59

// validCID: what is 59 characters of base32 and begins like this is a CID of
// DAG-CBOR with SHA-256 of 32 bytes (D5).
func validCID(text string) bool {
	const start = "bafyrei"
	// The seventh digit begins with the last two bits of the length, 32.
	if len(text) != cidChars || !strings.HasPrefix(text, start) || text[len(start)] > 'h' {
		return false
	}
	for _, c := range []byte(text[len(start):]) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	// 58 digits hold 290 bits, two more than 36 bytes.
	return strings.IndexByte("aeimquy4", text[cidChars-1]) >= 0
}
