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

// made is the JSON of a block, or why it has none.
type made struct {
	record []byte
	skip   event.Reason
}

// transcode turns each op's block into its record, once however many ops name it.
func (d *Decoder) transcode(ev *event.Event) *event.Reject {
	d.made = d.made[:0]
	total := 0
	for i := range ev.Commit.Ops {
		op, number := &ev.Commit.Ops[i], d.wanted[i]
		if number < 0 {
			continue
		}
		first := number == len(d.made) // numbers rise with the ops that brought them
		if first {
			d.made = append(d.made, made{})
		}
		block, state := d.finder.Block(number)
		switch state {
		case blocks.Missing:
			op.Skip = event.ReasonBlockMissing
			continue
		case blocks.Damaged:
			op.Skip = event.ReasonBlockHash
			continue
		}
		op.Block, op.Number = block, number
		if d.Raw {
			continue
		}
		if first && !d.record(ev, op) {
			return tooLarge()
		}
		op.Record, op.Skip = d.made[number].record, d.made[number].skip
		if total += len(op.Record); total > event.MaxData {
			return tooLarge()
		}
	}
	return nil
}

func tooLarge() *event.Reject { return limit("records over 13,000,000 bytes as JSON") }

// record makes the JSON of the op's block, or notes why it has none; false when
// it would be too large.
func (d *Decoder) record(ev *event.Event, op *event.Op) bool {
	start := len(d.json)
	d.records.Limit = keepBytes
	out, info, err := d.records.AppendJSON(d.json, op.Block)
	if errors.Is(err, dagcbor.ErrLimit) {
		// Once for all that may follow: growing by and by would take twice as much.
		if cap(d.json) < event.MaxData+dagcbor.Overrun {
			d.json = append(make([]byte, 0, event.MaxData+dagcbor.Overrun), d.json...)
		}
		d.records.Limit = event.MaxData
		out, info, err = d.records.AppendJSON(d.json, op.Block)
	}
	m := &d.made[op.Number]
	switch {
	case errors.Is(err, dagcbor.ErrLimit):
		return false
	case err != nil:
		m.skip = reasonOf(err)
		return true
	case len(info.Type) == 0:
		m.skip = event.ReasonRecordType
		return true
	}
	d.json = out
	m.record = out[start:len(out):len(out)]
	if info.NonCanonical {
		ev.Flags.Set(event.FlagRecord)
	}
	return true
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
