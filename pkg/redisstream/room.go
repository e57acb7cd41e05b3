package redisstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/wait"
)

// The bounds of the wait between two questions for room. The longer one is less
// than a lease lasts, for a leader goes on leading while it waits.
const (
	roomMin = 100 * time.Millisecond
	roomMax = time.Second
)

// causeFull is the event.Store.Cause of a stream without room.
const causeFull = "full"

// noRoom handles a FULL reply: it waits here, or leaves that to Resume.
func (w *Writer) noRoom(ctx context.Context, held []script.Holder) error {
	if w.config.WhenFull == Wait {
		return w.waitForRoom(ctx)
	}
	w.retention.waiting = true
	w.attend(held)
	return &event.Full{Detail: w.describe(held)}
}

// awaitRoom waits where Commit found the stream full.
func (w *Writer) awaitRoom(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.retention.waiting {
		return nil
	}
	// Should another writer lead meanwhile, the stream is its to fill.
	var led *event.Led
	err := w.waitForRoom(ctx)
	if errors.As(err, &led) || errors.As(context.Cause(ctx), &led) {
		err = nil
	}
	w.retention.waiting = err != nil
	return err
}

// waitForRoom asks until there is room or ctx ends. It tells observers with
// every question that says no, and the log every half minute.
func (w *Writer) waitForRoom(ctx context.Context) error {
	started, reminded, attempt := time.Now(), time.Time{}, 0
	for {
		status, held, err := w.askForRoom(ctx)
		if err != nil {
			return err
		}
		switch status {
		case script.Room:
			if attempt > 0 {
				w.config.Logger.Info("The stream has room again", "after", time.Since(started).Round(time.Millisecond))
			}
			w.config.Notify(event.Store{Up: true, Attempt: attempt})
			return nil
		case script.Trimmed:
			continue
		}
		attempt++
		if w.lease.State() == lease.Leading {
			if _, err := w.renew(ctx); err != nil {
				return err
			}
		}
		w.attend(held)
		full := &event.Full{Detail: w.describe(held)}
		if time.Since(reminded) >= conn.RemindEach {
			reminded = time.Now()
			w.config.Logger.Warn("The stream is full of what readers have not finished; waiting for room", w.explain(held, started)...)
		}
		pause := w.config.Spread(min(roomMin<<min(attempt-1, 10), roomMax))
		w.config.Notify(event.Store{Err: full, Cause: causeFull, Retry: pause, Attempt: attempt})
		if err := wait.For(ctx, pause); err != nil {
			return fmt.Errorf("wait for room: %w (%w)", err, full)
		}
	}
}

// askForRoom calls the room script, for as long as Redis takes to answer.
func (w *Writer) askForRoom(ctx context.Context) (status script.Status, held []script.Holder, err error) {
	err = w.config.retry(ctx, "ask for room", func(ctx context.Context) error {
		answer, err := script.AskRoom{MaxLen: w.config.MaxLen, Limit: w.limit, Policy: w.retention.policy}.Run(ctx, w.client, w.keys)
		if err != nil {
			return err
		}
		status, held = answer.Status, answer.Held
		if status != script.Full {
			w.retention.trimmed(answer.Trimmed, answer.Detail)
		}
		return nil
	})
	return status, held, err
}

// describe names the groups that hold the stream.
func (w *Writer) describe(held []script.Holder) string {
	words := make([]string, len(held))
	for i, h := range held {
		words[i] = h.String()
	}
	return strings.Join(append(words, fmt.Sprintf("%s keeps %d", w.config.StreamKey, w.config.MaxLen)), "; ")
}

// explain is what an operator needs to judge how long this may go on: the relay
// holds only so much of what comes after the newest stored event.
func (w *Writer) explain(held []script.Holder, since time.Time) []any {
	args := []any{"full", w.describe(held), "waiting", time.Since(since).Round(time.Second)}
	if at, ok := event.ParseTime(string(w.time)); ok {
		args = append(args, "newest_stored", time.Since(at).Round(time.Second).String()+" ago")
	}
	group := "GROUP"
	if len(held) > 0 {
		group = held[0].Group
	}
	return append(args, "hint", fmt.Sprintf("get the group's consumers to read, or raise max-stream-len and restart, or give its backlog up: redis-cli XGROUP SETID %s %s $",
		w.config.StreamKey, group))
}
