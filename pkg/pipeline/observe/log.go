package observe

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/text"
)

// Log tells the log what an operator reads there. The first two lines and
// the progress line are the contract's: people and scripts wait for them. Counts
// are the metrics' business, and Redis is logged by its own layer, which also
// waits before there is anything to observe.
type Log struct {
	Silent
	log      *slog.Logger
	progress *slog.Logger // nil on a terminal, where the live line says it better
	now      func() time.Time

	connected atomic.Bool

	mu     sync.Mutex
	ready  bool
	total  int64
	rate   rateMeter
	losses map[string]*lossLog
}

// NewLog tells log, and progress, unless it is nil, a line every thousand events.
func NewLog(log, progress *slog.Logger) *Log {
	return &Log{log: log, progress: progress, now: time.Now, losses: map[string]*lossLog{}}
}

// Link logs connects at info, everything that needs eyes at warn.
func (n *Log) Link(l event.Link) {
	switch l.State {
	case event.LinkUp:
		n.connected.Store(true)
		attrs := []any{"relay", l.URL, "from", l.From.String()}
		if l.Via != "" {
			attrs = append(attrs, "via", l.Via)
		}
		n.log.Info("Connected to firehose successfully", attrs...)
	case event.LinkDialing:
		n.log.Debug("Dialling relay", "relay", l.URL, "from", l.From.String(), "attempt", l.Attempt)
	case event.LinkDown:
		if l.Err == nil {
			n.log.Info("Disconnected from relay", "relay", l.URL)
			return
		}
		what := "Cannot connect to the relay, will retry"
		if n.connected.Swap(false) {
			what = "Relay connection lost, will retry"
		}
		n.log.Warn(what, "relay", l.URL, "cause", l.Cause, "err", errText(l.Err),
			"delay", l.Retry.Round(time.Millisecond).String(), "attempt", l.Attempt, "hint", linkHint(l))
	case event.LinkHeld:
		n.log.Error("Waiting for an operator: move the cursor to where reading shall begin, or have the relay repaired",
			"cause", l.Cause, "err", errText(l.Err), "cursor", l.From.String(), "delay", l.Retry.String())
	}
}

// linkHint is what to look at when a connection fails or ends.
func linkHint(l event.Link) string {
	cause := l.Cause
	switch {
	case errors.Is(l.Err, event.ErrHeld):
		return "an operator has to decide: the alarm says what about"
	case cause == "closed_1008":
		return "the relay does not go on with this connection: it says why, or an alarm does; without one reading continues where it stopped"
	case cause == "idle":
		return "reading continues where it stopped; for a host that is quiet by nature raise " + fault.To("idle-timeout", "") + " above its longest pause"
	case cause == "proxy", cause == "handshake":
		return fault.HintOf(l.Err)
	case strings.HasPrefix(cause, "dial_"):
		return "check the relay's address and the network; ingest goes on by itself once the relay answers"
	case cause == "tls":
		return "check the relay's host name and certificate, or give its authority with " + fault.To("relay-tls-ca", "")
	case strings.HasPrefix(cause, "http_"):
		return "the host answers but is no relay now: check the address, or wait for the relay to come back"
	}
	return "nothing to do: reading continues where it stopped"
}

// Rejected logs a frame; the log's own limit keeps a flood, per reason, from
// filling it.
func (n *Log) Rejected(r *event.Reject, frame []byte) {
	n.log.Warn("Frame rejected", "reason", r.Reason.String(), "seq", r.Seq.String(), "detail", r.Detail, "bytes", len(frame))
}

// Stored logs readiness once, then a line at every thousandth event.
func (n *Log) Stored(b *event.Batch, r event.Receipt) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.total
	n.total += int64(r.Appended)
	n.rate.add(n.now(), int64(r.Appended))
	if !n.ready && r.Appended > 0 {
		n.ready = true
		n.log.Info("Ready", "seq", b.Upto.String(), "stored", r.Appended)
	}
	if n.progress != nil && before/1000 != n.total/1000 {
		n.progress.Info(fmt.Sprintf("Processed %s events (~%s events/sec, cursor: %s)",
			text.Thousands(n.total/1000*1000), text.Thousands(int64(n.rate.perSecond(n.now()))), r.Cursor))
	}
	for _, trim := range r.Trimmed {
		n.trimmed(trim)
	}
}

// lossEach is how often a group's losses are logged, at most: a slow reader loses
// with every batch.
const lossEach = 10 * time.Second

// trimmed logs what a group lost since its last line. n.mu is held.
func (n *Log) trimmed(trim event.Trim) {
	l := n.losses[trim.Group]
	if l == nil {
		l = &lossLog{}
		n.losses[trim.Group] = l
	}
	l.sum.Unread += trim.Unread
	l.sum.Pending += trim.Pending
	l.sum.From, l.sum.To = cmp.Or(l.sum.From, trim.From), trim.To
	now := n.now()
	if now.Before(l.quietTil) {
		return
	}
	n.log.Warn("Trimmed entries that a group had not finished", "group", trim.Group, "unread", l.sum.Unread, "pending", l.sum.Pending,
		"from", l.sum.From.String(), "to", l.sum.To.String())
	*l = lossLog{quietTil: now.Add(lossEach)}
}

// lossLog is what a group lost and no line has told yet.
type lossLog struct {
	sum      event.Trim
	quietTil time.Time
}

// Alarm is always loud.
func (n *Log) Alarm(a event.Alarm, seq event.Seq, detail string) {
	where := []any{"detail", detail}
	if seq > 0 { // 0 is unknown, and would be read as a place
		where = append([]any{"seq", seq.String()}, where...)
	}
	n.log.Error("Alarm: "+a.String(), where...)
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// rateMeter is events per second over about the last five seconds.
type rateMeter struct {
	since  time.Time
	count  int64
	smooth float64
}

const rateWindow = 5 * time.Second

func (m *rateMeter) add(now time.Time, n int64) {
	if m.since.IsZero() {
		m.since = now
	}
	m.count += n
}

// figures.PerSecond closes the window when it is long enough; before the first window
// is full it answers with what there is.
func (m *rateMeter) perSecond(now time.Time) float64 {
	span := now.Sub(m.since)
	if m.since.IsZero() || span <= 0 {
		return m.smooth
	}
	current := float64(m.count) / span.Seconds()
	if span < rateWindow && m.smooth > 0 {
		return m.smooth
	}
	if span >= rateWindow {
		m.smooth, m.since, m.count = current, now, 0
	}
	return current
}
