package redisstream

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// retention is what a Writer knows about trimming. Only the goroutine that holds
// Writer.mu touches it.
type retention struct {
	log    *slog.Logger
	policy string // as the scripts read it
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
		w.keys.Ledger = w.config.LedgerKey()
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
	r.policy = script.Policy{Block: w.config.WhenFull != Trim, Timeout: w.config.GroupTimeout.Milliseconds(), Lapsed: r.lapsed, Merge: r.merge}.String()
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
func (w *Writer) attend(held []script.Holder) {
	r, timeout, now := &w.retention, w.config.GroupTimeout, time.Now()
	for _, h := range held {
		at, known := r.alone[h.Group]
		switch {
		case h.Idle >= 0:
			delete(r.alone, h.Group)
		case !known || at.need != h.Need:
			r.alone[h.Group] = stand{h.Need, now}
		case timeout > 0 && now.Sub(at.since) > timeout && !slices.Contains(r.lapsed, h.Group):
			r.lapsed = append(r.lapsed, h.Group)
			w.setPolicy()
			w.config.Logger.Warn("Nobody has read for this group, so it holds the stream no longer: what it has not read is trimmed when its time comes",
				"group", h.Group, "waited", now.Sub(at.since).Round(time.Second), "timeout", timeout)
		}
	}
}
