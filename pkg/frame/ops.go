package frame

import (
	"bytes"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// opList reads an ops array while the payload is walked, so that its bytes are
// passed over once.
type opList struct {
	fields fields
	list   []event.Op
}

// read reads n ops at payload.data[at:] and returns where they end. Ops beyond
// MaxOps are walked and not kept: such a commit is rejected later.
func (l *opList) read(payload *fields, n uint64, at int) (end int, err error) {
	l.list = l.list[:0]
	for i := uint64(0); i < n; i++ {
		if i >= MaxOps {
			var odd bool
			at, odd, err = dagcbor.Skip(payload.data, at)
			payload.odd = payload.odd || odd
		} else {
			l.list = append(l.list, event.Op{})
			at, err = l.op(payload, at, &l.list[i])
		}
		if err != nil {
			return 0, err
		}
	}
	return at, nil
}

// op reads one op. What is wrong with it becomes its Skip; the error is about
// CBOR that is not well-formed.
func (l *opList) op(payload *fields, at int, op *event.Op) (end int, err error) {
	f := &l.fields
	f.reset(payload.data)
	if end, err = f.read(at, fieldCID); err != nil {
		op.Skip = event.ReasonOpShape
		end, _, err = dagcbor.Skip(f.data, at)
		return end, err
	}
	payload.odd = payload.odd || f.odd
	op.Action, op.Path = action(f.text(fieldAction)), f.text(fieldPath)
	if f.has(fieldPrev) {
		op.Prev = f.link(fieldPrev)
	}
	if op.Action == event.Create || op.Action == event.Update {
		op.CID = f.link(fieldCID)
	}
	op.Skip = l.judge(op)
	return end, nil
}

// judge checks an op by itself, before its block is looked for.
func (l *opList) judge(op *event.Op) event.Reason {
	switch {
	case op.Action == event.ActionNone || !path(op.Path):
		return event.ReasonOpShape
	case l.fields.repeated(fieldAction, fieldPath, fieldCID):
		return event.ReasonOpShape
	case op.Action == event.Delete:
		return event.ReasonNone
	case op.CID == nil:
		return event.ReasonOpShape
	case !syntax.StrictCID(op.CID, syntax.CodecDAGCBOR):
		return event.ReasonOpCID
	}
	return event.ReasonNone
}

func action(name []byte) event.Action {
	switch string(name) {
	case "create":
		return event.Create
	case "update":
		return event.Update
	case "delete":
		return event.Delete
	}
	return event.ActionNone
}

// path: a collection and a record key with one slash between, in text that JSON
// can carry. Stricter syntax (V4) is for verification, not for delivery.
func path(p []byte) bool {
	slash := bytes.IndexByte(p, '/')
	return slash > 0 && slash < len(p)-1 && bytes.IndexByte(p[slash+1:], '/') < 0 && utf8.Valid(p)
}
