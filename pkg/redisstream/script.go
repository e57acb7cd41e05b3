package redisstream

import (
	"context"
	_ "embed" // the scripts are files of their own
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

var (
	//go:embed lua/common.lua
	commonLua string
	//go:embed lua/retention.lua
	retentionLua string
	//go:embed lua/append.lua
	appendLua string
	//go:embed lua/room.lua
	roomLua string
	//go:embed lua/restore.lua
	restoreLua string
	//go:embed lua/rebase.lua
	rebaseLua string
	//go:embed lua/refilter.lua
	refilterLua string
	//go:embed lua/lease.lua
	leaseLua string
	//go:embed lua/scan.lua
	scanLua string
	//go:embed lua/found.lua
	foundLua string
	//go:embed lua/removed.lua
	removedLua string

	appendText     = commonLua + retentionLua + appendLua
	appendScript   = redis.NewScript(appendText)
	roomScript     = redis.NewScript(commonLua + retentionLua + roomLua)
	restoreScript  = redis.NewScript(commonLua + restoreLua)
	rebaseScript   = redis.NewScript(commonLua + rebaseLua)
	refilterScript = redis.NewScript(commonLua + refilterLua)
	leaseScript    = redis.NewScript(commonLua + leaseLua)
	scanScript     = redis.NewScript(commonLua + scanLua)
	foundScript    = redis.NewScript(commonLua + foundLua)
	removedScript  = redis.NewScript(commonLua + removedLua)
)

// side is the JSON object in the side key. Epoch is written by the scripts.
type side struct {
	Relay      string `json:"relay"`
	Filter     string `json:"filter"`
	Partitions int    `json:"partitions"`
	From       string `json:"from"`
	EventTime  string `json:"eventTime"`
	// Stored is the seq of the last entry a writer stored and Upto where it
	// left the cursor: further, when the last events yielded no entry. Both
	// tell a cursor that is ahead by right from one that was moved. They are
	// 0 after anything but an append.
	Stored int64 `json:"stored"`
	Upto   int64 `json:"upto"`
	Epoch  int64 `json:"epoch"`
	// Was is the filter that Filter took the place of in a running process; nil
	// after the next append. Of a set it tells a change that was interrupted.
	Was *string `json:"was"`
	// Set is where an operator put the cursor; "" after anything a writer did.
	Set string `json:"set"`
	// OthersTo and OthersFrom tell of entries that others than we added above the
	// cursor: their highest seq, and the id behind which they lie. A writer that
	// starts reads them again from there.
	OthersTo   int64  `json:"othersTo"`
	OthersFrom string `json:"othersFrom"`
	// Floor is what a floor knew when this was written; nil when nothing.
	Floor *int64 `json:"floor"`
	// Own is Upto or Set, if either is there: see ownOf in the scripts.
	Own      event.Seq `json:"-"`
	OwnKnown bool      `json:"-"`
}

// UnmarshalJSON reads the side key and works out Own.
func (s *side) UnmarshalJSON(raw []byte) error {
	type plain side
	if err := json.Unmarshal(raw, (*plain)(s)); err != nil {
		return err
	}
	var left struct{ Upto *int64 }
	switch _ = json.Unmarshal(raw, &left); {
	case left.Upto != nil && *left.Upto >= 0:
		s.Own, s.OwnKnown = event.Seq(*left.Upto), true
	case s.Set != "":
		s.Own, s.OwnKnown = event.ParseSeq(s.Set)
	}
	return nil
}

// head is the side key's JSON without its epoch and closing brace, which the
// scripts add: only they know the stored epoch. An upto below 0 is left out: where
// the cursor is left is then for the script to say, or not known.
func (c *Config) head(buf, eventTime []byte, stored, upto int64, f floor) []byte {
	var left *int64
	if upto >= 0 {
		left = &upto
	}
	var low *event.Seq
	if f.known {
		low = &f.seq
	}
	text, _ := json.Marshal(struct {
		Relay      string `json:"relay"`
		Filter     string `json:"filter"`
		Partitions int    `json:"partitions"`
		From       string `json:"from"`
		EventTime  string `json:"eventTime"`
		Stored     int64  `json:"stored,omitempty"`
		Upto       *int64 `json:"upto,omitempty"`

		Floor *event.Seq `json:"floor,omitempty"`
	}{c.Identity.Relay, c.Identity.Filter, c.Identity.partitions(), c.From.String(), string(eventTime), stored, left, low})
	return append(buf, text[:len(text)-1]...)
}

// adopt is "1" if a cursor without side key may be taken over: the Python
// bridge left it, and that always read one host (contract §7.2).
func (c *Config) adopt() string {
	if c.Identity.Relay == bridgeHost {
		return "1"
	}
	return "0"
}

// blob lets go-redis write bytes without boxing a slice for each of them.
type blob []byte

// MarshalBinary gives the bytes themselves.
func (b *blob) MarshalBinary() ([]byte, error) { return *b, nil }

// call is one script call being built. Its memory is reused: the arguments
// point into it, so that an event costs no allocation.
type call struct {
	args  []any
	seqs  []int64
	data  []blob
	start int64
	// stored is the seq of the last entry in the stream after this call.
	stored int64
	// Entries that are left out: present are others', lost are theirs to answer for.
	foreign, lost int
	upto          int64
	epoch         int64
	side          blob
	cmd           *redis.Cmd
}

// types are the boxed values of the type field.
var types = [event.Kinds]any{
	event.KindCommit: event.KindCommit.String(), event.KindIdentity: event.KindIdentity.String(),
	event.KindAccount: event.KindAccount.String(), event.KindSync: event.KindSync.String(),
}

// continuation says what a batch continues from.
type continuation struct {
	expected string // the stored cursor; "" starts where none is
	jump     bool   // leave expected for the batch's own start, as requested
	epoch    int64
}

// build fills in the arguments for storing b. full sends the script's text
// rather than its digest. After is the last entry stored before this call: what a
// former try of later batches was to store must not be noted as stored.
func (k *call) build(w *Writer, b *event.Batch, at continuation, after int64, full bool) {
	k.start, k.upto, k.epoch = int64(startOf(b)), int64(b.Upto), at.epoch
	if len(b.Time) > 0 { // a batch without entries says nothing new
		w.time = append(w.time[:0], b.Time...)
	}
	k.foreign, k.lost, k.stored = 0, 0, after
	aware, from := "", ID("")
	if w.others.watching {
		aware, from = "1", w.others.from()
	}
	for i := len(b.Entries) - 1; i >= 0; i-- {
		if w.others.verdicts[b.Entries[i].Seq] == toStore {
			k.stored = int64(b.Entries[i].Seq)
			break
		}
	}
	low := w.floor
	if at.expected == "" {
		low.began(b) // already now: this may be the only batch
	}
	k.side = w.others.note(w.config.head(k.side[:0], w.time, k.stored, k.upto, low), b.Upto)
	k.seqs = grow(k.seqs, len(b.Entries))
	k.data = grow(k.data, len(b.Entries))
	k.args = append(k.args[:0], "evalsha", appendScript.Hash())
	if full {
		k.args = append(k.args[:0], "eval", appendText)
	}
	mode := any("")
	switch {
	case at.jump:
		mode = "jump"
	case w.held:
		mode = "held"
	}
	k.args = append(append(k.args, w.keys...), at.expected, mode, &k.start, &k.upto)
	k.args = append(append(k.args, w.fixed...), &k.epoch, &k.side, w.lease.id, leaseFor.Milliseconds(), w.retention.policy, aware, string(from))
	for i := range b.Entries {
		e := &b.Entries[i]
		switch w.others.verdicts[e.Seq] {
		case isPresent:
			k.foreign++
			continue
		case isLost:
			k.lost++
			continue
		}
		k.seqs[i], k.data[i] = int64(e.Seq), e.Data
		k.args = append(k.args, &k.seqs[i], types[e.Kind], &k.data[i])
	}
}

// forget drops the references to a batch's memory.
func (k *call) forget() {
	clear(k.data)
	clear(k.args)
	k.cmd = nil
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	return s[:n]
}

// startOf is the cursor just before the batch's first event.
func startOf(b *event.Batch) event.Seq {
	if b.After.Start == event.After {
		return b.After.Seq
	}
	if len(b.Entries) > 0 {
		return b.Entries[0].Seq - 1
	}
	return max(0, b.Upto-1)
}

// reply is what the append script said.
type reply struct {
	status   string
	cursor   event.Seq
	epoch    int64
	appended int
	present  int
	length   int64
	detail   string
	trimmed  []event.Trim
	held     []holder
}

// parseReply reads the reply of a call.
func parseReply(cmd *redis.Cmd) (r reply, err error) {
	fields, err := cmd.Slice()
	if err != nil {
		return r, err
	}
	if len(fields) < 7 {
		return r, conn.ErrReply
	}
	var cursor, epoch string
	ok := textOf(fields[0], &r.status) && textOf(fields[1], &cursor) && textOf(fields[2], &epoch) && textOf(fields[6], &r.detail)
	appended, ok1 := fields[3].(int64)
	present, ok2 := fields[4].(int64)
	length, ok3 := fields[5].(int64)
	if !ok || !ok1 || !ok2 || !ok3 {
		return r, conn.ErrReply
	}
	r.appended, r.present, r.length = int(appended), int(present), length
	if r.cursor, ok = event.ParseSeq(cursor); cursor != "" && !ok {
		r.status, r.detail = "BADCURSOR", cursor
	}
	if r.epoch, err = strconv.ParseInt(epoch, 10, 64); err != nil {
		return r, conn.ErrReply
	}
	if r.status == "FULL" {
		r.held, err = parseHeld(fields[7:])
	} else {
		r.trimmed, err = parseLosses(fields[7:])
	}
	return r, err
}

func textOf(value any, into *string) bool {
	s, ok := value.(string)
	*into = s
	return ok
}

// moved is the reply of the restore, rebase and lease scripts.
type moved struct {
	status, detail string
	cursor         event.Seq
	present        bool // there is a cursor
	epoch          int64
}

// run calls one of the small scripts and reads its four-part reply.
func (w *Writer) run(ctx context.Context, script *redis.Script, args ...any) (m moved, err error) {
	fields, err := script.Run(ctx, w.client, w.names(), args...).StringSlice()
	if err != nil {
		return m, err
	}
	if len(fields) != 4 {
		return m, conn.ErrReply
	}
	m.status, m.detail = fields[0], fields[3]
	if m.cursor, m.present = event.ParseSeq(fields[1]); fields[1] != "" && !m.present {
		m.status, m.detail = "BADCURSOR", fields[1]
	}
	if m.epoch, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
		return m, fmt.Errorf("%w: epoch %s", conn.ErrReply, strings.ToValidUTF8(fields[2], "?"))
	}
	return m, nil
}
