package entry

import (
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// Append appends the data of ev to dst: one JSON object. ok is false, and dst
// unchanged, when ev yields no entry: sync, info, error and unknown events, and
// events whose text is not UTF-8, which a frame decoder does not produce. It
// allocates only to grow dst.
func Append(dst []byte, ev *event.Event) (out []byte, ok bool) {
	switch ev.Kind {
	case event.KindCommit:
		out, ok = commit(dst, ev)
	case event.KindIdentity:
		out, ok = identity(dst, ev)
	case event.KindAccount:
		out, ok = account(dst, ev)
	}
	if !ok {
		return dst, false
	}
	return out, true
}

func commit(dst []byte, ev *event.Event) ([]byte, bool) {
	dst = append(dst, `{"repo":`...)
	dst, ok := dagcbor.AppendString(dst, ev.DID)
	dst = append(dst, `,"ops":[`...)
	first := true
	for i := range ev.Commit.Ops {
		if !ok {
			return dst, false
		}
		o := &ev.Commit.Ops[i]
		if o.Skip != event.ReasonNone {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst, ok = op(dst, o)
	}
	return append(dst, `]}`...), ok
}

func op(dst []byte, o *event.Op) ([]byte, bool) {
	dst = append(dst, `{"action":"`...)
	dst = append(dst, o.Action.String()...)
	dst = append(dst, `","path":`...)
	dst, ok := dagcbor.AppendString(dst, o.Path)
	if o.Action != event.Delete {
		dst = append(dst, `,"cid":"`...)
		dst = syntax.AppendCID(dst, o.CID)
		dst = append(dst, `","record":`...)
		dst = append(dst, o.Record...)
	}
	return append(dst, '}'), ok
}

func identity(dst []byte, ev *event.Event) ([]byte, bool) {
	dst = append(dst, `{"did":`...)
	dst, ok := dagcbor.AppendString(dst, ev.DID)
	dst = append(dst, `,"handle":`...)
	if len(ev.Identity.Handle) == 0 {
		// Never the DID in its place: it would overwrite a good handle.
		return append(dst, `null}`...), ok
	}
	dst, fine := dagcbor.AppendString(dst, ev.Identity.Handle)
	return append(dst, '}'), ok && fine
}

func account(dst []byte, ev *event.Event) ([]byte, bool) {
	dst = append(dst, `{"did":`...)
	dst, ok := dagcbor.AppendString(dst, ev.DID)
	if ev.Account.Active {
		dst = append(dst, `,"active":true`...)
	} else {
		dst = append(dst, `,"active":false`...)
	}
	if ev.Account.Status == nil {
		return append(dst, '}'), ok
	}
	dst = append(dst, `,"status":`...)
	dst, fine := dagcbor.AppendString(dst, ev.Account.Status)
	return append(dst, '}'), ok && fine
}
