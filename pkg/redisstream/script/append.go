package script

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// Append is the arguments of the append script, in its order: what its first comment
// calls ARGV 1 to 17. The events follow (Call.Add).
type Append struct {
	Expected   string // 1: the cursor that the batch continues from; "" starts where none is
	Mode       string // 2: Jump, Held or ""
	Start      int64  // 3: the cursor before the first event
	Upto       int64  // 4: the watermark
	MaxLen     int64  // 5: 0 never trims
	Limit      string // 6: "1" = XTRIM honours LIMIT
	Relay      string // 7
	Filter     string // 8
	Partitions int64  // 9
	Adopt      string // 10: "1" = may adopt an absent side key
	Epoch      int64  // 11
	Side       Bytes  // 12: see Head
	Writer     string // 13: its id in the lease; "" takes no part
	Lease      int64  // 14: ms
	Policy     string // 15: see Policy
	Aware      string // 16: "1" = entries of other writers above the cursor are known and left out
	From       string // 17: with Aware the id behind which those begin
}

// How a batch continues.
const (
	Jump = "jump" // it leaves the expected cursor for Start, as requested
	Held = "held" // the stream held entries when this writer last saw it
)

// Flag is a condition as the scripts take it.
func Flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// Bytes lets go-redis write bytes without boxing a slice for each of them.
type Bytes []byte

// MarshalBinary gives the bytes themselves.
func (b *Bytes) MarshalBinary() ([]byte, error) { return *b, nil }

// Call is one call of the append script being built. Its memory is reused: the arguments
// point into it, so that an event costs no allocation.
type Call struct {
	Append
	args []any
	seqs []int64
	data []Bytes
	cmd  *redis.Cmd
}

// appendHash is boxed once.
var appendHash any = appendScript.Hash()

// types are the boxed values of the type field.
var types = [event.Kinds]any{
	event.KindCommit: event.KindCommit.String(), event.KindIdentity: event.KindIdentity.String(),
	event.KindAccount: event.KindAccount.String(), event.KindSync: event.KindSync.String(),
}

// Begin forgets a former call's events and makes room for some. full sends the script's
// text rather than its digest, for a server that does not know it. keys is from KeyArgs.
// What Append says may be set until Send.
func (k *Call) Begin(keys []any, events int, full bool) {
	k.seqs, k.data = grow(k.seqs, events)[:0], grow(k.data, events)[:0]
	k.args = append(k.args[:0], "evalsha", appendHash)
	if full {
		k.args = append(k.args[:0], "eval", appendText)
	}
	a := &k.Append
	k.args = append(append(k.args, keys...), &a.Expected, &a.Mode, &a.Start, &a.Upto, &a.MaxLen, &a.Limit, &a.Relay, &a.Filter,
		&a.Partitions, &a.Adopt, &a.Epoch, &a.Side, &a.Writer, &a.Lease, &a.Policy, &a.Aware, &a.From)
}

// KeyArgs is the keys as a Call takes them, behind their number.
func (k Keys) KeyArgs() []any {
	list := k.list()
	args := []any{strconv.Itoa(len(list))}
	for _, key := range list {
		args = append(args, key)
	}
	return args
}

// Add adds an event. The data is not copied, and must stay until Forget. There is room
// for as many as Begin was told.
func (k *Call) Add(seq event.Seq, kind event.Kind, data []byte) {
	i := len(k.seqs)
	k.seqs, k.data = append(k.seqs, int64(seq)), append(k.data, data)
	k.args = append(k.args, &k.seqs[i], types[kind], &k.data[i])
}

// Forget drops the references to the events' memory.
func (k *Call) Forget() {
	clear(k.data)
	clear(k.args)
	k.cmd = nil
}

// Send makes one exchange of calls, in order. Each then has its Reply.
func Send(ctx context.Context, c *conn.Client, calls []*Call) {
	pipe := c.Pipeline()
	for _, k := range calls {
		k.cmd = redis.NewCmd(ctx, k.args...)
		_ = pipe.Process(ctx, k.cmd)
	}
	conn.Exchange(ctx, pipe)
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	return s[:n]
}

// Reply is what the append script said.
type Reply struct {
	Status   Status
	Cursor   event.Seq
	Epoch    int64
	Appended int
	Present  int
	Length   int64 // of the stream; -1 unknown
	Detail   string
	Trimmed  []event.Trim // what groups lost
	Held     []Holder     // of Full: who holds the stream
}

// Reply reads the reply of a call that was sent.
func (k *Call) Reply() (r Reply, err error) {
	fields, err := k.cmd.Slice()
	if err != nil {
		return r, err
	}
	if len(fields) < 7 {
		return r, conn.ErrReply
	}
	if r.Status, err = statusOf(fields[0]); err != nil {
		return r, err
	}
	var cursor, epoch string
	ok := textOf(fields[1], &cursor) && textOf(fields[2], &epoch) && textOf(fields[6], &r.Detail)
	appended, ok1 := fields[3].(int64)
	present, ok2 := fields[4].(int64)
	length, ok3 := fields[5].(int64)
	if !ok || !ok1 || !ok2 || !ok3 {
		return r, conn.ErrReply
	}
	r.Appended, r.Present, r.Length = int(appended), int(present), length
	if r.Cursor, ok = event.ParseSeq(cursor); cursor != "" && !ok {
		r.Status, r.Detail = BadCursor, cursor
	}
	if r.Epoch, err = strconv.ParseInt(epoch, 10, 64); err != nil {
		return r, conn.ErrReply
	}
	if r.Status == Full {
		r.Held, err = parseHeld(fields[7:])
	} else {
		r.Trimmed, err = parseLosses(fields[7:])
	}
	return r, err
}

func textOf(value any, into *string) bool {
	s, ok := value.(string)
	*into = s
	return ok
}

// Holder is a group that holds the stream.
type Holder struct {
	Group   string
	Behind  int64 // entries since the oldest that it has not finished
	Pending int64
	Idle    time.Duration // since a consumer last asked; -1 without consumers
	Need    string        // the id of the oldest entry that it has not finished, or one before
}

// String is the holder for people.
func (h Holder) String() string {
	text := fmt.Sprintf("group %s is %d entries behind, %d of them pending", h.Group, h.Behind, h.Pending)
	if h.Idle < 0 {
		return text + ", and shows no consumer"
	}
	return text + fmt.Sprintf(", and last asked %s ago", h.Idle.Round(time.Millisecond))
}

// parseLosses reads five values for each group: name, unread, pending, from, to.
func parseLosses(fields []any) (lost []event.Trim, err error) {
	for ; len(fields) > 0; fields = fields[5:] {
		var t event.Trim
		name, n, m, from, to, ok := five(fields)
		if !ok {
			return nil, conn.ErrReply
		}
		t.Group, t.Unread, t.Pending = name, n, m
		t.From, _ = event.ParseSeq(from)
		t.To, _ = event.ParseSeq(to)
		lost = append(lost, t)
	}
	return lost, nil
}

// parseHeld reads five values for each group: name, entries behind, pending,
// idle in ms or nothing, and the id it needs.
func parseHeld(fields []any) (held []Holder, err error) {
	for ; len(fields) > 0; fields = fields[5:] {
		name, behind, pending, idle, need, ok := five(fields)
		if !ok {
			return nil, conn.ErrReply
		}
		h := Holder{Group: name, Behind: behind, Pending: pending, Idle: -1, Need: need}
		if ms, err := strconv.ParseInt(idle, 10, 64); err == nil {
			h.Idle = time.Duration(ms) * time.Millisecond
		}
		held = append(held, h)
	}
	return held, nil
}

func five(fields []any) (name string, n, m int64, a, b string, ok bool) {
	if len(fields) < 5 {
		return
	}
	n, ok1 := fields[1].(int64)
	m, ok2 := fields[2].(int64)
	ok = textOf(fields[0], &name) && textOf(fields[3], &a) && textOf(fields[4], &b) && ok1 && ok2
	return name, n, m, a, b, ok
}
