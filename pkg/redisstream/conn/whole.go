package conn

import (
	"bytes"
	"strconv"
	"strings"
	"sync/atomic"
)

// Bounds of replies that are read whole.
const (
	sentinelReply = 64 << 10 // of one message or answer of a Sentinel
	clusterNodes  = 1000     // as many as Redis Cluster is made for
	deepestValue  = 64       // more than a Follower lets pass
)

// whole reads some replies whole and checks their shape before go-redis sees
// them. It takes a Sentinel's answers and messages for what they should be, and
// an array that is too short, or of other things, ends the process. It also
// makes a client for each node that a cluster names.
type whole struct {
	wanted  atomic.Pointer[shape]
	held    []byte // of replies that were not checked
	checked int64  // how many of the messages were
	ready   []byte // checked, and not yet passed on
}

// shape is what the reply to a command must look like.
type shape struct {
	name    string
	command []byte // as it is sent, behind the length of its first word
	limit   int64
	lasting bool // for all that comes on the connection from now on
	unknown bool // a null says that Sentinel does not know the master's name
	check   func(value) bool
}

var shapes = []*shape{
	{name: "SUBSCRIBE", command: []byte("subscribe\r\n"), limit: sentinelReply, lasting: true, check: isMessage},
	{name: "SENTINEL GET-MASTER-ADDR-BY-NAME", command: []byte("sentinel\r\n$23\r\nget-master-addr-by-name\r\n"), limit: sentinelReply, unknown: true, check: isAddress},
	{name: "CLUSTER SLOTS", command: []byte("cluster\r\n$5\r\nslots\r\n"), limit: LookReply, check: isSlots},
}

// expect looks at a command that is being sent. Those of the hot path are told
// apart by one byte.
func (w *whole) expect(p []byte) {
	if len(p) == 0 || p[0] != '*' {
		return
	}
	start := bytes.IndexByte(p[:min(len(p), 16)], '$')
	if start < 0 {
		return
	}
	p = p[start:]
	end := bytes.IndexByte(p[:min(len(p), 8)], '\n')
	if end < 0 || end+1 == len(p) || p[end+1]|0x20 != 's' && p[end+1]|0x20 != 'c' {
		return
	}
	for _, s := range shapes {
		if bytes.HasPrefix(p[end+1:], s.command) && w.wanted.Load() == nil {
			w.wanted.Store(s)
		}
	}
}

// read gives bytes of replies that were checked.
func (w *whole) read(c *socket, p []byte) (int, error) {
	for len(w.ready) == 0 {
		if err := w.take(c); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.ready)
	w.ready = w.ready[n:]
	return n, nil
}

// take reads until a reply is complete, and checks it.
func (w *whole) take(c *socket) error {
	s := w.wanted.Load()
	former := c.replies.Limit
	c.replies.Limit = min(former, s.limit)
	defer func() { c.replies.Limit = former }()
	if len(w.held) == 0 {
		w.checked = c.replies.Messages
	}
	var buf [4096]byte
	for c.replies.Messages == w.checked {
		n, err := c.read(buf[:])
		w.held = append(w.held, buf[:n]...)
		if err != nil {
			return err
		}
	}
	w.checked++
	v, rest, ok := parseValue(w.held, 0)
	switch {
	case ok && s.unknown && v.isNull():
		c.failed = c.unknownMaster()
		return c.failed
	case !ok || !s.check(v):
		c.failed = &peerError{cause: causeProtocol, hint: notRedisHint, what: "its answer to " + s.name + " has not the form of one"}
		return c.failed
	}
	w.ready = append(w.ready[:0], w.held[:len(w.held)-len(rest)]...)
	w.held = append(w.held[:0], rest...)
	if !s.lasting {
		w.ready, w.held = append(w.ready, w.held...), nil
		w.wanted.Store(nil)
	}
	return nil
}

// value is one parsed reply.
type value struct {
	kind  byte
	null  bool
	text  []byte
	items []value
}

// parseValue reads a reply of RESP2 from p; ok is false when it is not complete.
// The bytes have passed a Follower, so depth and lengths are bounded. Kinds that
// RESP2 does not have are values without content.
func parseValue(p []byte, depth int) (v value, rest []byte, ok bool) {
	end := bytes.IndexByte(p, '\n')
	if end < 2 {
		return v, nil, false
	}
	v.kind, v.text, rest = p[0], p[1:end-1], p[end+1:]
	each := 1
	switch v.kind {
	case '$', '=', '!':
		n, err := strconv.Atoi(string(v.text))
		if v.null = err != nil || n < 0; v.null {
			return v, rest, true
		}
		if len(rest) < n+2 {
			return v, nil, false
		}
		v.text = rest[:n]
		return v, rest[n+2:], true
	case '%', '|':
		each = 2
	case '*', '~', '>':
	default:
		return v, rest, true
	}
	n, err := strconv.Atoi(string(v.text))
	if v.null = err != nil || n < 0 || depth > deepestValue; v.null {
		return v, rest, true
	}
	n *= each
	if v.kind == '|' {
		n++
	}
	for range n {
		var item value
		if item, rest, ok = parseValue(rest, depth+1); !ok {
			return v, nil, false
		}
		v.items = append(v.items, item)
	}
	return v, rest, true
}

func (v value) isText() bool  { return !v.null && (v.kind == '$' || v.kind == '+') }
func (v value) isList() bool  { return !v.null && v.kind == '*' }
func (v value) isError() bool { return v.kind == '-' }

// isNull accepts the null of a string, of an array, and that of RESP3, which is what
// go-redis speaks with a Sentinel.
func (v value) isNull() bool { return v.kind == '_' || v.null && (v.kind == '$' || v.kind == '*') }

// isAddress accepts a host and a port, or an error.
func isAddress(v value) bool {
	return v.isError() || v.isList() && len(v.items) == 2 && v.items[0].isText() && v.items[1].isText()
}

// isMessage accepts what a subscription brings. The news that a master moved
// names it, and its old and new address.
func isMessage(v value) bool {
	if v.isError() || v.kind == '+' {
		return true
	}
	if !v.isList() || len(v.items) < 2 || !v.items[0].isText() {
		return false
	}
	kind, items := string(v.items[0].text), v.items[1:]
	switch {
	case kind == "pong":
		return items[0].isText()
	case len(items) != 2:
		return false
	case kind == "subscribe" || kind == "unsubscribe":
		return items[1].kind == ':'
	case kind == "message" && items[0].isText() && items[1].isText():
		return string(items[0].text) != "+switch-master" || len(strings.Split(string(items[1].text), " ")) == 5
	}
	return false
}

// isSlots accepts slots of a sane number of nodes; go-redis checks the rest.
func isSlots(v value) bool {
	if !v.isList() {
		return true
	}
	known := map[string]bool{}
	for _, slot := range v.items {
		for i, node := range slot.items {
			if i >= 2 && len(node.items) >= 2 {
				known[string(node.items[0].text)+" "+string(node.items[1].text)] = true
			}
		}
	}
	return len(known) <= clusterNodes
}
