package verify

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/mst"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// commitCheck judges one decoded #commit or #sync.
type commitCheck struct {
	*Frames
	id      string
	ev      *event.Event
	root    []byte
	blocks  map[string][]byte // by binary CID, hashes checked
	signed  signed
	message []byte // what the signature is made over (V7)
}

// signed is a commit block (V1).
type signed struct {
	DID     string       `cbor:"did"`
	Version int64        `cbor:"version"`
	Rev     string       `cbor:"rev"`
	Data    dagcbor.Link `cbor:"data"`
	Prev    dagcbor.Link `cbor:"prev"`
	Sig     []byte       `cbor:"sig,omitempty"`
}

func (c *commitCheck) bad(rule Rule, where, format string, args ...any) {
	c.found(Finding{Rule: rule, Seq: c.ev.Seq, ID: c.id, Where: where, Detail: fmt.Sprintf(format, args...)})
}

func (c *commitCheck) commit() {
	e := &c.ev.Commit
	c.ops(e)
	if !c.open(e.Blocks) {
		return
	}
	if !c.block(e.CID, string(e.Rev)) {
		return
	}
	c.rev(e)
	c.tree(e)
	c.signature()
}

// sync checks the one block of a #sync; its archive names it as root (V8).
func (c *commitCheck) sync() {
	s := &c.ev.Sync
	if !c.open(s.Blocks) {
		return
	}
	if !c.block(c.root, string(s.Rev)) {
		return
	}
	// It may repeat what the last commit said, so only a lower rev is bad.
	before := c.revs.see(string(c.ev.DID), c.signed.Rev, c.signed.Data)
	if before.known && c.signed.Rev < before.rev() {
		c.bad(RevOrder, "rev", "rev %s of %s, after %s", c.signed.Rev, c.ev.DID, before.rev())
	}
	c.signature()
}

// ops reports what consumers would not see, and paths that break V4.
func (c *commitCheck) ops(e *event.Commit) {
	for i := range e.Ops {
		op := &e.Ops[i]
		c.sum.Ops++
		where := fmt.Sprintf("ops[%d]", i)
		switch {
		case op.Skip == event.ReasonBlockHash:
			c.bad(BlockHash, where, "the record's block holds other bytes")
		case op.Skip != 0:
			c.bad(OpSkipped, where, "%s", op.Skip)
		case !syntax.ValidPath(op.Path):
			c.bad(OpPathStrict, where+".path", "not a collection and a record key")
		}
		if op.Skip == 0 && op.Record != nil {
			c.sum.Records++ // the decoder hashed it
		}
	}
}

// open reads the CAR and hashes every block (B3). Damage ends the check of this
// event: what else fails would follow from it.
func (c *commitCheck) open(car []byte) (sound bool) {
	if len(car) == 0 {
		c.bad(CARInvalid, "blocks", "it is empty")
		return false
	}
	archive, err := blocks.Read(car)
	if err != nil {
		c.bad(CARInvalid, "blocks", "%v", err)
		return false
	}
	c.root, c.blocks, sound = archive.Roots[0], make(map[string][]byte, len(archive.Blocks)), true
	for i, b := range archive.Blocks {
		if !ours(b.CID) {
			continue
		}
		if b.Intact() == nil {
			c.blocks[string(b.CID)] = b.Data
			continue
		}
		sound = false
		if !c.reported(b.CID) {
			c.bad(BlockHash, fmt.Sprintf("blocks[%d]", i), "block %s holds other bytes", syntax.CIDText(b.CID))
		}
	}
	return sound
}

// ours: blocks under CIDs of other makes are passed over (D5).
func ours(cid []byte) bool {
	return syntax.StrictCID(cid, syntax.CodecDAGCBOR) || syntax.StrictCID(cid, syntax.CodecRaw)
}

func (c *commitCheck) get(cid []byte) []byte { return c.blocks[string(cid)] }

// reported: the op that names a block has reported it.
func (c *commitCheck) reported(cid []byte) bool {
	if c.ev.Kind != event.KindCommit {
		return false
	}
	return slices.ContainsFunc(c.ev.Commit.Ops, func(op event.Op) bool {
		return op.Skip == event.ReasonBlockHash && bytes.Equal(op.CID, cid)
	})
}

// block finds and checks the commit block (V1).
func (c *commitCheck) block(cid []byte, rev string) bool {
	if !syntax.StrictCID(cid, syntax.CodecDAGCBOR) {
		c.bad(CommitBlock, "commit", "it is missing, or not a CID of DAG-CBOR with SHA-256")
		return false
	}
	data := c.get(cid)
	if data == nil {
		c.bad(CommitBlock, "commit", "no block has its CID")
		return false
	}
	var fields map[string]any
	c.signed = signed{}
	err := errors.Join(dagcbor.Unmarshal(data, &c.signed), dagcbor.Unmarshal(data, &fields))
	if err != nil {
		c.bad(CommitBlock, "commit", "the block is not a commit: %v", err)
		return false
	}
	if detail := c.says(fields, rev); detail != "" {
		c.bad(CommitBlock, "commit", "%s", detail)
		return false
	}
	if !syntax.ValidTID(c.signed.Rev) {
		c.bad(RevSyntax, "rev", "%q", clip(c.signed.Rev))
		return false
	}
	delete(fields, "sig")
	if c.message, err = dagcbor.Marshal(fields); err != nil {
		c.bad(CommitBlock, "commit", "%v", err)
	}
	return err == nil
}

// says compares the commit block with the event; "" when they agree.
func (c *commitCheck) says(fields map[string]any, rev string) string {
	s := &c.signed
	_, prev := fields["prev"]
	switch {
	case s.Version != 3:
		return fmt.Sprintf("version is %d, not 3", s.Version)
	case s.DID != string(c.ev.DID):
		return "did is another account's"
	case s.Rev != rev:
		return "rev is not the event's"
	case !syntax.StrictCID(s.Data, syntax.CodecDAGCBOR):
		return "data is missing or not a CID of DAG-CBOR with SHA-256"
	case !prev:
		return "prev is missing; null is due"
	case len(s.Sig) == 0:
		return "sig is missing"
	}
	return ""
}

// maxAhead is how far a rev may be ahead of the clock (V2).
const maxAhead = 5 * time.Minute

// rev checks the order of the repository's events (V2, V3).
func (c *commitCheck) rev(e *event.Commit) {
	s := &c.signed
	at := time.UnixMicro(int64(number(s.Rev) >> 10))
	if ahead := at.Sub(c.cfg.Now()); ahead > maxAhead {
		c.bad(RevFuture, "rev", "%s ahead of the clock", ahead.Round(time.Second))
	}
	before := c.revs.see(s.DID, s.Rev, s.Data)
	switch {
	case !before.known:
	case s.Rev <= before.rev():
		c.bad(RevOrder, "rev", "rev %s of %s, after %s", s.Rev, s.DID, before.rev())
	case c.cfg.Sample > 1:
		// Events between were not looked at.
	case len(e.Since) > 0 && string(e.Since) != before.rev():
		c.bad(RepoBreak, "since", "since is %s, the event before has rev %s", clip(string(e.Since)), before.rev())
	case e.PrevData != nil && short(e.PrevData) != before.data:
		c.bad(RepoBreak, "prevData", "it is not the tree of the event before")
	}
}

// tree checks the ops against the tree and undoes them (V4 to V6).
func (c *commitCheck) tree(e *event.Commit) {
	ops := make([]mst.Op, 0, len(e.Ops))
	for i := range e.Ops {
		op := &e.Ops[i]
		if op.Skip == event.ReasonOpShape || op.Skip == event.ReasonOpCID {
			return // reported; without it the tree cannot be undone
		}
		ops = append(ops, mst.Op{Action: op.Action, Path: string(op.Path), CID: op.CID, Prev: op.Prev})
	}
	err := mst.Verify(c.signed.Data, c.get, ops, e.PrevData)
	switch {
	case err == nil:
		c.sum.Trees++
	case errors.Is(err, mst.ErrLegacy):
		c.sum.Legacy++
	case errors.Is(err, mst.ErrOp):
		c.bad(TreeOp, "ops", "%v", err)
	case errors.Is(err, mst.ErrInversion):
		c.bad(TreeInversion, "prevData", "%v", err)
	case errors.Is(err, mst.ErrPartial):
		c.bad(TreePartial, "blocks", "%v", err)
	default:
		c.bad(TreeInvalid, "blocks", "%v", err)
	}
}

// signature checks sig with the key of the account (V7).
func (c *commitCheck) signature() {
	if c.cfg.Signature == nil {
		return
	}
	known, err := c.cfg.Signature(c.signed.DID, c.message, c.signed.Sig)
	switch {
	case !known:
		c.sum.Unkeyed++
	case err != nil:
		c.bad(Signature, "commit.sig", "%v", err)
	default:
		c.sum.Signatures++
	}
}
