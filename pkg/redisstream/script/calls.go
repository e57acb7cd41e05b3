package script

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// State is what the scripts that touch cursor and side key answer.
type State struct {
	Status  Status
	Cursor  event.Seq
	Present bool // there is a cursor
	Epoch   int64
	Detail  string // what more a script has to say; see its comment
}

// ask runs a script and reads its four-part reply.
func ask(ctx context.Context, c *conn.Client, script *redis.Script, keys []string, args ...any) (s State, err error) {
	fields, err := script.Run(ctx, c, keys, args...).StringSlice()
	if err != nil {
		return s, err
	}
	if len(fields) != 4 {
		return s, conn.ErrReply
	}
	if s.Status, err = statusOf(fields[0]); err != nil {
		return s, err
	}
	s.Detail = fields[3]
	if s.Cursor, s.Present = event.ParseSeq(fields[1]); fields[1] != "" && !s.Present {
		s.Status, s.Detail = BadCursor, fields[1]
	}
	if s.Epoch, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
		return s, fmt.Errorf("%w: epoch %s", conn.ErrReply, strings.ToValidUTF8(fields[2], "?"))
	}
	return s, nil
}

// Owner is whose cursor a writer takes it to be.
type Owner struct {
	Relay      string
	Filter     string
	Partitions int
	Adopt      bool // one without side key is this writer's to take over
}

// Lease asks to lead without storing anything, or to go on leading.
type Lease struct {
	Writer       string // its id
	Milliseconds int64  // 0 gives the lease back
	Owner        Owner
	Dead         string // the lease of a writer that is known to have ended, as it was read, or ""
}

// Run answers OK (Detail: what the cursor's key holds, if somebody else wrote it), Led
// (Detail: who leads), BadCursor or Mismatch.
func (l Lease) Run(ctx context.Context, c *conn.Client, k Keys) (State, error) {
	return ask(ctx, c, leaseScript, k.list(), l.Writer, l.Milliseconds, l.Owner.Relay, l.Owner.Filter, l.Owner.Partitions, Flag(l.Owner.Adopt), l.Dead)
}

// Rebase moves the cursor by compare-and-set.
type Rebase struct {
	From, To event.Seq
	Owner    Owner
	Epoch    int64
	Side     string // see Head
	// Keep leaves the epoch: no operator asked for the move.
	Keep bool
}

// Run answers OK, Missing, BadCursor, Mismatch or Conflict.
func (r Rebase) Run(ctx context.Context, c *conn.Client, k Keys) (State, error) {
	epoch := "raised"
	if r.Keep {
		epoch = "kept"
	}
	return ask(ctx, c, rebaseScript, k.list(), r.From.String(), r.To.String(), r.Owner.Relay, r.Owner.Filter, r.Owner.Partitions, Flag(r.Owner.Adopt), r.Epoch, r.Side, epoch)
}

// Refilter changes the cursor's filter; the number stays. Owner has the former one.
type Refilter struct {
	Owner Owner
	Epoch int64
	Side  string // see Head; where the cursor was left and what was stored is kept as it is
}

// Run answers OK, Missing or Conflict.
func (r Refilter) Run(ctx context.Context, c *conn.Client, k Keys) (State, error) {
	return ask(ctx, c, refilterScript, k.list(), r.Owner.Relay, r.Owner.Filter, r.Owner.Partitions, Flag(r.Owner.Adopt), r.Epoch, r.Side)
}

// Restore writes a cursor again that vanished, or a side key that vanished alone.
type Restore struct {
	Left  string // where the writer left the cursor; "" = it has just started
	Epoch int64
	Side  string // see Head
	Own   string // the writer's own cursor, where only the side key vanished; "" = none is
	Floor string // what not every group had acknowledged begins behind it; "" = unknown
}

// Run answers Restored, Present or Nothing. Detail says where the cursor comes from:
// "entry", "left" (the side key), "floor", "lost" (no floor is known) or "side".
func (r Restore) Run(ctx context.Context, c *conn.Client, k Keys) (State, error) {
	return ask(ctx, c, restoreScript, k.list(), r.Left, r.Epoch, r.Side, r.Own, r.Floor)
}

// Move is an operator's change of the cursor, by compare-and-set. What was there before
// goes into the history.
type Move struct {
	Present bool   // the operator saw a cursor
	Raw     string // which held this
	Epoch   int64  // beside this epoch
	Remove  bool   // the cursor is taken away; otherwise it becomes To
	To      event.Seq
	Side    string // see Head
	Keep    int    // how many changes the history keeps
	Relay   string
	How     string // what was asked for
	By      string
	Undoes  string // the change undone; "" is none
	Above   int64  // the epoch rises above this one at least
	Unowned bool   // no side key is left beside the cursor
}

// Run answers OK or Conflict, and what the cursor's key holds, as text.
func (m Move) Run(ctx context.Context, c *conn.Client, k Keys, history string) (s Status, holds string, err error) {
	fields, err := moveScript.Run(ctx, c, []string{k.Cursor, k.Side, history, k.Stream},
		Flag(m.Present), m.Raw, m.Epoch, Flag(!m.Remove), m.To.String(), m.Side, m.Keep,
		m.Relay, m.How, m.By, m.Undoes, m.Above, Flag(m.Unowned)).StringSlice()
	if err != nil {
		return 0, "", err
	}
	if len(fields) != 4 {
		return 0, "", conn.ErrReply
	}
	s, err = statusOf(fields[0])
	return s, fields[1], err
}

// Policy is what may be trimmed, as append and room are told it.
type Policy struct {
	Block   bool     `json:"block"`   // nothing leaves that a group still needs
	Timeout int64    `json:"timeout"` // ms after which a group that nobody reads needs nothing; 0 is for ever
	Lapsed  []string `json:"lapsed,omitempty"`
	Merge   bool     `json:"merge"` // lines of the ledger are merged
}

// String is the policy as the scripts read it.
func (p Policy) String() string {
	text, _ := json.Marshal(p) // of strings and numbers
	return string(text)
}

// AskRoom asks whether the append script would answer Full. It trims what may go.
type AskRoom struct {
	MaxLen int64
	Limit  string // "1" = XTRIM honours LIMIT
	Policy string
}

// Run answers with a Status of Room, Full (Held) or Trimmed; Detail is what went wrong.
func (r AskRoom) Run(ctx context.Context, c *conn.Client, k Keys) (answer Reply, err error) {
	fields, err := roomScript.Run(ctx, c, k.list(), r.MaxLen, r.Limit, r.Policy).Slice()
	if err != nil {
		return answer, err
	}
	if len(fields) < 3 || !textOf(fields[2], &answer.Detail) {
		return answer, conn.ErrReply
	}
	if answer.Status, err = statusOf(fields[0]); err != nil {
		return answer, err
	}
	answer.Length, _ = fields[1].(int64)
	if answer.Status == Full {
		answer.Held, err = parseHeld(fields[3:])
	} else {
		answer.Trimmed, err = parseLosses(fields[3:])
	}
	return answer, err
}
