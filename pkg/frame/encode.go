package frame

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
)

// Append appends ev as one canonical frame (F1): what a relay would send. Of
// ops, Action, Path, CID and Prev are written; blobs is always empty, rebase
// and tooBig false (E2). Flags, Record and Block are ignored. An unknown kind
// gets Type, and a payload of seq, did and time. Nothing is checked, so that
// tests can make bad frames; the only error is a kind outside the vocabulary.
func Append(dst []byte, ev *event.Event) ([]byte, error) {
	if int(ev.Kind) >= event.Kinds {
		return dst, fmt.Errorf("encode frame: kind %d is unknown", uint8(ev.Kind))
	}
	w := writer(appendHeader(dst, ev))
	switch ev.Kind {
	case event.KindCommit:
		w.commit(ev)
	case event.KindSync:
		w.open(5)
		w.text("did", ev.DID)
		w.text("rev", ev.Sync.Rev)
		w.seqTime(ev)
		w.bytes("blocks", ev.Sync.Blocks)
	case event.KindIdentity:
		w.open(3 + count(ev.Identity.Handle))
		w.text("did", ev.DID)
		w.seqTime(ev)
		w.optional("handle", ev.Identity.Handle)
	case event.KindAccount:
		w.open(4 + count(ev.Account.Status))
		w.text("did", ev.DID)
		w.seqTime(ev)
		w.bool("active", ev.Account.Active)
		w.optional("status", ev.Account.Status)
	case event.KindInfo:
		w.notice("name", ev.Notice)
	case event.KindError:
		w.notice("error", ev.Notice)
	case event.KindUnknown:
		w.open(3)
		w.text("did", ev.DID)
		w.seqTime(ev)
	}
	return w, nil
}

func appendHeader(dst []byte, ev *event.Event) []byte {
	w := writer(dst)
	if ev.Kind == event.KindError {
		w.open(1)
		w.key("op")
		return append(w, 0x20) // -1
	}
	label := ev.Kind.String()
	if ev.Kind == event.KindUnknown {
		label = string(ev.Type)
	}
	w.open(2)
	w.text("t", []byte("#"+label))
	w.key("op")
	return append(w, 1)
}

func count(optional []byte) uint64 {
	if optional == nil {
		return 0
	}
	return 1
}

// writer appends the entries of one map after another; callers keep canonical
// key order (D1).
type writer []byte

func (w *writer) open(pairs uint64) { *w = dagcbor.AppendHead(*w, dagcbor.MajorMap, pairs) }

func (w *writer) key(name string) { *w = dagcbor.AppendText(*w, name) }

func (w *writer) text(name string, value []byte) {
	w.key(name)
	*w = append(dagcbor.AppendHead(*w, dagcbor.MajorText, uint64(len(value))), value...)
}

func (w *writer) optional(name string, value []byte) {
	if value != nil {
		w.text(name, value)
	}
}

func (w *writer) bytes(name string, value []byte) {
	w.key(name)
	*w = append(dagcbor.AppendHead(*w, dagcbor.MajorBytes, uint64(len(value))), value...)
}

func (w *writer) bool(name string, value bool) {
	w.key(name)
	if value {
		*w = append(*w, dagcbor.True)
	} else {
		*w = append(*w, dagcbor.False)
	}
}

// link writes null for a nil CID.
func (w *writer) link(name string, cid []byte) {
	w.key(name)
	if cid == nil {
		*w = append(*w, dagcbor.Null)
	} else {
		*w = dagcbor.AppendLink(*w, cid)
	}
}

func (w *writer) seqTime(ev *event.Event) {
	w.key("seq")
	*w = dagcbor.AppendHead(*w, dagcbor.MajorUint, uint64(ev.Seq))
	w.text("time", ev.Time)
}

func (w *writer) notice(name string, n event.Notice) {
	w.open(1 + count(n.Message))
	w.text(name, n.Name)
	w.optional("message", n.Message)
}

func (w *writer) commit(ev *event.Event) {
	c := &ev.Commit
	w.open(11 + count(c.PrevData))
	w.key("ops")
	*w = dagcbor.AppendHead(*w, dagcbor.MajorArray, uint64(len(c.Ops)))
	for i := range c.Ops {
		w.op(&c.Ops[i])
	}
	w.text("rev", c.Rev)
	w.key("seq")
	*w = dagcbor.AppendHead(*w, dagcbor.MajorUint, uint64(ev.Seq))
	w.text("repo", ev.DID)
	w.text("time", ev.Time)
	w.key("blobs")
	*w = dagcbor.AppendHead(*w, dagcbor.MajorArray, 0)
	if c.Since == nil {
		w.link("since", nil)
	} else {
		w.text("since", c.Since)
	}
	w.bytes("blocks", c.Blocks)
	w.link("commit", c.CID)
	w.bool("rebase", false)
	w.bool("tooBig", false)
	if c.PrevData != nil {
		w.link("prevData", c.PrevData)
	}
}

func (w *writer) op(op *event.Op) {
	w.open(3 + count(op.Prev))
	w.link("cid", op.CID)
	w.text("path", op.Path)
	if op.Prev != nil {
		w.link("prev", op.Prev)
	}
	w.text("action", []byte(op.Action.String()))
}
