package ingest

import (
	"context"
	"io"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/ingest"
	"github.com/fhctl/fhctl/pkg/output"
)

// showLine draws the live line below the log until ctx ends.
func showLine(ctx context.Context, env *shell.Env, running *ingest.Running) {
	var line *output.Line
	restore := env.Err.Divert(func(terminal io.Writer) io.Writer {
		line = output.NewLine(output.LineConfig{Out: terminal})
		return line.Writer()
	})
	defer restore()
	defer line.Close()
	line.Run(ctx, func() output.Status { return status(running.Snapshot()) })
}

func status(s health.Snapshot) output.Status {
	held := ""
	if s.Reason == health.RelayHeld {
		held = s.Alarm
	}
	return output.Status{
		Events: sum(s.Counts.Events[:]), Rejected: rejected(s.Counts.Rejected),
		Seq: s.Cursor, Lag: s.Lag, LagKnown: !s.LastTime.IsZero(), Length: s.Length,
		Link: s.Link, StoreDown: s.StoreKnown && !s.Store.Up, Store: s.Store,
		Held: held, Led: s.Reason == health.Standby, Stopping: s.Reason == health.Stopping,
	}
}

func sum(counts []int64) (total int64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// rejected counts whole frames; a skipped op leaves its event standing.
func rejected(byReason [event.Reasons]int64) (total int64) {
	for reason := range event.Reason(event.Reasons) {
		if !reason.Op() {
			total += byReason[reason]
		}
	}
	return total
}
