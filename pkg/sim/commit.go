package sim

import (
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// commit is one being made: the ops of an account at a time.
type commit struct {
	by      *account
	when    time.Time
	since   string
	prev    []byte // CID of the tree before
	ops     []event.Op
	records []blocks.Block
	touched map[string]bool // paths, since a commit has one op per path
	clock   int             // of the next record key
	err     error           // of the first op that failed; later ones do nothing
}

// begin opens a commit. Without proof it can only be closed: the tree is not
// hashed, which is most of the cost.
func begin(by *account, when time.Time, proof bool) (*commit, error) {
	c := &commit{by: by, when: when, since: by.rev}
	var err error
	if proof {
		c.prev, err = by.data()
	}
	return c, err
}

// key is a fresh record key.
func (c *commit) key() string {
	c.clock++
	return tid(c.when, c.clock)
}

// put writes a record, new or changed. Its URI and CID are returned.
func (c *commit) put(collection, key string, value any) (uri, cid string) {
	path := collection + "/" + key
	if c.err != nil || c.touched[path] {
		return "", ""
	}
	block, err := dagcbor.Marshal(value)
	if err != nil {
		c.err = fmt.Errorf("make %s: %w", collection, err)
		return "", ""
	}
	binary := syntax.SumCID(syntax.CodecDAGCBOR, block)
	prev, err := c.by.tree.Insert(path, binary)
	if err != nil {
		c.err = err
		return "", ""
	}
	action := event.Update
	if prev == nil {
		action = event.Create
		c.by.records = append(c.by.records, record{collection, path})
	}
	c.add(event.Op{Action: action, Path: []byte(path), CID: binary, Prev: prev})
	c.records = append(c.records, blocks.Block{CID: binary, Data: block})
	return "at://" + c.by.did + "/" + path, syntax.CIDText(binary)
}

// drop deletes the account's record i, unless this commit made it.
func (c *commit) drop(i int) {
	path := c.by.records[i].path
	if c.err != nil || c.touched[path] {
		return
	}
	prev, err := c.by.tree.Remove(path)
	if err != nil {
		c.err = err
		return
	}
	if c.by.records[i].collection == profiles {
		c.by.profile = false
	}
	c.by.forget(i)
	c.add(event.Op{Action: event.Delete, Path: []byte(path), Prev: prev})
}

func (c *commit) add(op event.Op) {
	if c.touched == nil {
		c.touched = map[string]bool{}
	}
	c.touched[string(op.Path)] = true
	c.ops = append(c.ops, op)
}

// revClock sets revs apart from record keys of the same moment.
const revClock = 1000

// close moves the account on without making a frame.
func (c *commit) close() error {
	c.by.rev = tid(c.when, revClock)
	c.by.root = nil
	return c.err
}

// envelope and opSize are about what a frame takes besides its blocks.
const (
	envelope = 400
	opSize   = 160
)

// frame closes the commit and makes the event. The CAR holds the proof first,
// the commit in the middle (B2), the records last.
func (c *commit) frame(s *series, seq event.Seq) ([]byte, error) {
	if err := c.close(); err != nil {
		return nil, err
	}
	root, nodes, err := c.by.tree.Proof()
	if err != nil {
		return nil, err
	}
	c.by.root = root
	cid, block, err := c.by.commitBlock(s)
	if err != nil {
		return nil, err
	}
	all := append(append(nodes, blocks.Block{CID: cid, Data: block}), c.records...)
	car := blocks.Write(cid, all)
	ev := &event.Event{Kind: event.KindCommit, Seq: seq, DID: []byte(c.by.did), Time: []byte(stamp(c.when)), Commit: event.Commit{
		CID: cid, PrevData: c.prev, Rev: []byte(c.by.rev), Since: []byte(c.since), Blocks: car, Ops: c.ops,
	}}
	return frame.Append(make([]byte, 0, len(car)+envelope+opSize*len(c.ops)), ev)
}
