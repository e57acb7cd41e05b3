package redisstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// retention is what a Writer knows about trimming. Only the goroutine that holds
// Writer.mu touches it.
type retention struct {
	log    *slog.Logger
	policy any // the policy as the scripts read it
	merge  bool
	ledger bool // this user may write it

	waiting bool             // Commit returned *event.Full
	alone   map[string]stand // groups without consumers that hold the stream
	lapsed  []string         // of those, the ones that waited too long
	unsaid  []event.Trim     // losses that no receipt told yet
	odd     string           // the last trouble that was logged
}

// stand is where a group was found standing, and when first.
type stand struct {
	need  string
	since time.Time
}

// holder is a group that holds the stream.
type holder struct {
	group   string
	behind  int64 // entries since the oldest that it has not finished
	pending int64
	idle    time.Duration // since a consumer last asked; -1 without consumers
	need    string        // the id of the oldest entry that it has not finished, or one before
}

// String is the holder for people.
func (h holder) String() string {
	text := fmt.Sprintf("group %s is %d entries behind, %d of them pending", h.group, h.behind, h.pending)
	if h.idle < 0 {
		return text + ", and shows no consumer"
	}
	return text + fmt.Sprintf(", and last asked %s ago", h.idle.Round(time.Millisecond))
}

// prepareRetention finds out whether the ledger may be written. What is missing
// is said once; events are stored all the same.
func (w *Writer) prepareRetention(ctx context.Context) error {
	r := &w.retention
	r.log, r.alone = w.config.Logger, map[string]stand{}
	err := w.config.retry(ctx, "check the ledger of losses", func(ctx context.Context) (err error) {
		r.ledger, r.merge, err = w.probeLedger(ctx)
		return err
	})
	w.setPolicy()
	if r.ledger {
		w.keys = append(w.keys, w.config.LedgerKey())
		w.keys[0] = "5"
	}
	return err
}

// probeLedger tries each command in a form that cannot do anything.
func (w *Writer) probeLedger(ctx context.Context) (write, merge bool, err error) {
	key := w.config.LedgerKey()
	pipe := w.client.Pipeline()
	add := pipe.Do(ctx, "xadd", key, "NOMKSTREAM", "no-id", "f", "v")
	look := pipe.XRevRangeN(ctx, key, "+", "-", 1)
	remove := pipe.XDel(ctx, key, "0-0")
	conn.Exchange(ctx, pipe)
	for _, err := range []error{add.Err(), look.Err(), remove.Err()} {
		var reply redis.Error
		if err != nil && (!errors.As(err, &reply) || conn.CauseOf(err) != "") {
			return false, false, err
		}
	}
	switch log := w.config.Logger; {
	case look.Err() != nil || conn.IsDenied(add.Err()):
		why := add.Err()
		if look.Err() != nil {
			why = look.Err()
		}
		log.Warn("What groups lose to trimming is counted and logged, but not kept: the ledger cannot be written; give the Redis user xadd, xrevrange and xdel on it",
			"ledger", key, "err", why)
		return false, false, nil
	case remove.Err() != nil:
		log.Warn("The ledger of losses gets a line for every batch that loses something: give the Redis user xdel on it, so that lines can be merged",
			"ledger", key, "err", remove.Err())
		return true, false, nil
	}
	return true, true, nil
}

// setPolicy writes down what the scripts are to do.
func (w *Writer) setPolicy() {
	r := &w.retention
	text, _ := json.Marshal(struct {
		Block   bool     `json:"block"`
		Timeout int64    `json:"timeout"`
		Lapsed  []string `json:"lapsed,omitempty"`
		Merge   bool     `json:"merge"`
	}{w.config.WhenFull != Trim, w.config.GroupTimeout.Milliseconds(), r.lapsed, r.merge})
	r.policy = string(text)
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
func parseHeld(fields []any) (held []holder, err error) {
	for ; len(fields) > 0; fields = fields[5:] {
		name, behind, pending, idle, need, ok := five(fields)
		if !ok {
			return nil, conn.ErrReply
		}
		h := holder{group: name, behind: behind, pending: pending, idle: -1, need: need}
		if ms, err := strconv.ParseInt(idle, 10, 64); err == nil {
			h.idle = time.Duration(ms) * time.Millisecond
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

// losses adds what was lost on the way to a batch to what it lost itself.
func (r *retention) losses(of []event.Trim) []event.Trim {
	if len(r.unsaid) == 0 {
		return of
	}
	all := append(r.unsaid, of...)
	r.unsaid = nil
	return all
}

// trimmed keeps losses for the next receipt.
func (r *retention) trimmed(lost []event.Trim, detail string) {
	r.unsaid = append(r.unsaid, lost...)
	r.tellOdd(detail)
}

// tellOdd logs trouble with trimming once, until it changes.
func (r *retention) tellOdd(detail string) {
	if detail != "" && detail != r.odd {
		what := "Events are stored, but the stream could not be trimmed"
		if strings.HasPrefix(detail, "ledger: ") {
			what = "Events are stored and losses are counted, but the ledger of losses could not be written"
		}
		r.log.Warn(what, "err", detail)
	}
	r.odd = detail
}

// attend keeps the clock of groups that have no consumer, and so none of their
// own: it starts when this Writer first finds them holding the stream, and anew
// whenever they have moved. The embedded server tells of no consumer when it
// last asked, so there this clock is everybody's.
func (w *Writer) attend(held []holder) {
	r, timeout, now := &w.retention, w.config.GroupTimeout, time.Now()
	for _, h := range held {
		at, known := r.alone[h.group]
		switch {
		case h.idle >= 0:
			delete(r.alone, h.group)
		case !known || at.need != h.need:
			r.alone[h.group] = stand{h.need, now}
		case timeout > 0 && now.Sub(at.since) > timeout && !slices.Contains(r.lapsed, h.group):
			r.lapsed = append(r.lapsed, h.group)
			w.setPolicy()
			w.config.Logger.Warn("Nobody has read for this group, so it holds the stream no longer: what it has not read is trimmed when its time comes",
				"group", h.group, "waited", now.Sub(at.since).Round(time.Second), "timeout", timeout)
		}
	}
}
