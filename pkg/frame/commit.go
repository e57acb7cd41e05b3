package frame

import (
	"bytes"
	"errors"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
)

func (d *Decoder) commit(ev *event.Event) *event.Reject {
	f := &d.fields
	if reject := d.owner(ev, fieldRepo); reject != nil {
		return reject
	}
	if f.repeated(fieldOps, fieldBlocks, fieldCommit, fieldRev, fieldSince, fieldPrevData) {
		return lexicon("a commit field is given twice")
	}
	c := &ev.Commit
	c.CID, c.PrevData = f.link(fieldCommit), f.link(fieldPrevData)
	c.Rev, c.Since = f.text(fieldRev), f.text(fieldSince)
	c.Ops = d.ops.list
	c.Blocks = f.str(fieldBlocks, dagcbor.MajorBytes)
	ops := &f.values[fieldOps]
	switch {
	case c.Blocks == nil:
		return lexicon("blocks is missing or not bytes")
	case !f.has(fieldOps) || ops.major != dagcbor.MajorArray:
		return lexicon("ops is missing or not an array")
	case len(c.Blocks) > MaxBlocks:
		return limit("blocks over 2,000,000 bytes")
	case ops.arg > MaxOps:
		return limit("more than 200 ops")
	}
	if reject := d.find(ev); reject != nil {
		return reject
	}
	return d.transcode(ev)
}

func limit(detail string) *event.Reject {
	return &event.Reject{Reason: event.ReasonLimit, Detail: detail}
}

// find locates the blocks of all ops in one pass over the CAR.
func (d *Decoder) find(ev *event.Event) *event.Reject {
	c := &ev.Commit
	d.finder.Reset()
	d.wanted = d.wanted[:0]
	for i := range c.Ops {
		number := -1
		if op := &c.Ops[i]; op.Skip == 0 && op.CID != nil {
			number = d.finder.Want(op.CID)
		}
		d.wanted = append(d.wanted, number)
	}
	if len(c.Blocks) == 0 {
		return nil
	}
	root, err := d.finder.Find(c.Blocks)
	if err != nil {
		return &event.Reject{Reason: event.ReasonCAR, Detail: err.Error()}
	}
	if !bytes.Equal(root, c.CID) {
		ev.Flags.Set(event.FlagRoot)
	}
	return nil
}

// transcode turns each op's block into its record.
func (d *Decoder) transcode(ev *event.Event) *event.Reject {
	total := 0
	for i := range ev.Commit.Ops {
		op := &ev.Commit.Ops[i]
		if d.wanted[i] < 0 {
			continue
		}
		block, state := d.finder.Block(d.wanted[i])
		switch state {
		case blocks.Missing:
			op.Skip = event.ReasonBlockMissing
		case blocks.Damaged:
			op.Skip = event.ReasonBlockHash
		default:
			op.Block = block
			op.Skip = d.record(ev, op)
		}
		if total += len(op.Record); total > MaxJSON {
			return limit("records over 8 MiB as JSON")
		}
	}
	return nil
}

// record sets the op's JSON, or says why it has none.
func (d *Decoder) record(ev *event.Event, op *event.Op) event.Reason {
	start := len(d.json)
	out, info, err := d.records.AppendJSON(d.json, op.Block)
	switch {
	case err != nil:
		return reasonOf(err)
	case len(info.Type) == 0:
		return event.ReasonRecordType
	}
	d.json = out
	op.Record = out[start:len(out):len(out)]
	if info.NonCanonical {
		ev.Flags.Set(event.FlagRecord)
	}
	return event.ReasonNone
}

// reasonOf is apart from record because its pointer would make every record
// cost an allocation there.
func reasonOf(err error) event.Reason {
	var bad *dagcbor.Error
	if errors.As(err, &bad) {
		return bad.Reason
	}
	return event.ReasonRecordCBOR
}
