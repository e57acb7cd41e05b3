package conn

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/wait"
)

// Outage follows one interruption: it tells observers once when it begins and
// once when it ends, and logs a reminder while it lasts. Set the exported fields before
// its first use; one goroutine at a time.
type Outage struct {
	Connection *Connection           // which logs, and says how waits are spread
	Doing      string                // what is tried, for errors and the log: "store events"
	Notify     func(event.Store)     // hears of each failure, and of the end; nil is nobody
	Again      func(context.Context) // called before another attempt; nil does nothing
	started    time.Time
	reminded   time.Time
	attempt    int
	named      []string // the causes that the log was told of
}

// The bounds of the wait between attempts.
const (
	retryMin = 50 * time.Millisecond
	retryMax = 5 * time.Second
	// RemindEach is how often the log is told that something still lasts.
	RemindEach = 30 * time.Second
)

// restarting are the causes that a server goes through when it restarts: one after
// another they tell a person nothing new.
var restarting = []string{"connection", "dial", "timeout", "loading"}

// Observe notes how an attempt went that nobody repeats, such as a renewal: a
// Redis that is away shows also while there is nothing to store.
func (o *Outage) Observe(err error) {
	cause := ""
	if err != nil {
		cause = CauseOf(err)
	}
	switch {
	case err == nil:
		o.Over()
	case cause != "":
		o.attempt = max(1, o.attempt) // it does not lengthen the wait of those that are
		o.note(worded(err), cause, 0)
	}
}

// Failed notes one failed attempt and waits. It returns the context's error
// when that ends first.
func (o *Outage) Failed(ctx context.Context, err error, cause string) error {
	o.attempt++
	err = worded(err)
	pause := o.Connection.Spread(min(retryMin<<min(o.attempt-1, 10), retryMax))
	o.note(err, cause, pause)
	if ended := wait.For(ctx, pause); ended != nil {
		return fmt.Errorf("%s: %w (Redis: %w)", o.Doing, ended, err)
	}
	if o.Again != nil {
		o.Again(ctx)
	}
	return nil
}

// note tells of a failed attempt: observers each time, the log at the first and
// now and then.
func (o *Outage) note(err error, cause string, wait time.Duration) {
	now := time.Now()
	log := o.Connection.Logger
	switch {
	case o.started.IsZero():
		o.started, o.reminded, o.named = now, now, append(o.named[:0], cause)
		args := []any{"while", o.Doing, "cause", cause, "err", err, "redis", fault.Redact(o.Connection.URL)}
		if hint := Hint(err); hint != "" {
			args = append(args, "hint", hint)
		}
		log.Warn("Redis is not available; waiting", args...)
	case !slices.Contains(o.named, cause) && !slices.Contains(restarting, cause):
		o.named = append(o.named, cause)
		log.Warn("Redis is not available for another reason", "while", o.Doing, "cause", cause, "err", err, "attempt", o.attempt, "since", now.Sub(o.started).Round(time.Second))
	case now.Sub(o.reminded) >= RemindEach:
		o.reminded = now
		log.Warn("Redis is still not available", "while", o.Doing, "cause", cause, "err", err, "attempt", o.attempt, "since", now.Sub(o.started).Round(time.Second))
	}
	o.tell(event.Store{Err: err, Cause: cause, Retry: wait, Attempt: o.attempt})
}

// Over notes that Redis answered.
func (o *Outage) Over() {
	if o.attempt == 0 {
		return
	}
	o.Connection.Logger.Info("Redis is available again", "after", time.Since(o.started).Round(time.Millisecond), "attempts", o.attempt)
	o.tell(event.Store{Up: true, Attempt: o.attempt})
	o.attempt, o.started = 0, time.Time{}
}

func (o *Outage) tell(e event.Store) {
	if o.Notify != nil {
		o.Notify(e)
	}
}

// Attempts is how many attempts in a row have failed.
func (o *Outage) Attempts() int { return o.attempt }

// Retry runs do until it succeeds, fails for good, or ctx ends. Each attempt has the
// command timeout.
func (o *Outage) Retry(ctx context.Context, do func(context.Context) error) error {
	for {
		once, cancel := o.Connection.Within(ctx)
		err := worded(do(once))
		cancel()
		cause := ""
		if err != nil {
			cause = CauseOf(err)
		}
		switch {
		case err == nil:
			o.Over()
			return nil
		case fault.Ended(ctx) != nil:
			return fmt.Errorf("%s: %w (Redis: %w)", o.Doing, ctx.Err(), err)
		case cause == "":
			return fmt.Errorf("%s: %w", o.Doing, o.Connection.Final(err))
		}
		if err := o.Failed(ctx, err, cause); err != nil {
			return err
		}
	}
}
