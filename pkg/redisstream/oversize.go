package redisstream

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

const (
	// smallestLimit is the least that a server's limits can be set to.
	smallestLimit = 1 << 20
	// severedMost is how often in a row a connection that was answered may end on one
	// batch, sent alone, until its size is the reason: some two seconds.
	severedMost = 6
)

const oversizeHint = "Redis takes no value or command of this size: raise proto-max-bulk-len and client-query-buffer-limit in redis.conf to 64mb at least, or the limit of the proxy in between"

// severed follows a batch on which the server ends the connection. A server that
// limits values says so; one that limits its buffer says nothing.
type severed struct {
	times int
	said  bool // the server named the size
	alone bool // so batches are sent one by one
}

// note looks at how an attempt failed to send batches, of which the first has this
// size. It reports whether that one is to be sent alone at once.
func (s *severed) note(err error, batches, size int) (again bool) {
	said, ended := conn.RefusesSize(err), conn.Severed(err)
	switch {
	case batches > 1 && (said || ended):
		s.alone = true // which of them it is must show
	case said:
		s.said = true
	case ended && size >= smallestLimit/2:
		s.times++
	default:
		*s = severed{}
	}
	return said && batches > 1
}

// sure reports whether the size is the reason.
func (s *severed) sure() bool { return s.said || s.times >= severedMost }

// oversize handles a server that does not take a batch because of its size. Its
// largest entry is left out, counted and named where it is larger than any server
// can be kept from taking; otherwise only the operator can help.
func (c *commit) oversize(err error) error {
	b := c.left[0]
	largest := -1
	for i := range b.Entries {
		if largest < 0 || len(b.Entries[i].Data) > len(b.Entries[largest].Data) {
			largest = i
		}
	}
	if largest < 0 || len(b.Entries[largest].Data) < smallestLimit-overhead {
		return fmt.Errorf("store events: %w", fault.New(fault.Refused, err, oversizeHint))
	}
	e := b.Entries[largest]
	reject := &event.Reject{Reason: event.ReasonLimit, Seq: e.Seq, Detail: fmt.Sprintf("an entry of %d bytes, which Redis does not take: raise proto-max-bulk-len and client-query-buffer-limit", len(e.Data))}
	c.w.config.Refused(reject, e.Data)
	b.Bytes -= len(e.Data)
	b.Entries = append(b.Entries[:largest], b.Entries[largest+1:]...)
	c.refusals++
	c.severed = severed{}
	return nil
}

// overhead is what a command has beside the data of its largest entry, about.
const overhead = 4 << 10
