package redisstream

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/preflight"
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
func (w *Writer) prepareRetention(ctx context.Context, s *preflight.Server) error {
	r := &w.retention
	r.log, r.alone = w.config.Logger, map[string]stand{}
	err := w.config.retry(ctx, "check the ledger of losses", func(ctx context.Context) (err error) {
		r.ledger, r.merge, err = s.Ledger(ctx, w.config.LedgerKey())
		return err
	})
	w.setPolicy()
	if r.ledger {
		w.keys.Ledger = w.config.LedgerKey()
	}
	return err
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
