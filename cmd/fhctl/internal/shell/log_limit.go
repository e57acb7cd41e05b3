package shell

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/text"
)

const (
	// lineBurst lines that say the same are logged as they come, and then one
	// every lineEvery, with the number of those that were not logged.
	lineBurst = 5
	lineEvery = time.Minute
	// maxNames is how many names of one message are limited each by itself;
	// further ones share a limit, so that a name of one's own is no way around it.
	maxNames = 16
	// maxMessages bounds the messages that are known at a time. Ours are fixed
	// texts, a hundred or so.
	maxMessages = 512
	maxName     = 64
	// maxText is how much of a message or of an attribute is logged, in bytes:
	// frames of megabytes hold texts of megabytes.
	maxText = 2 << 10
	// notLogged is the attribute that counts what was left out since the last
	// line that said the same.
	notLogged = "not_logged"
)

// nameKeys are the attributes that make lines of one message different things.
var nameKeys = []string{"name", "reason", "cause", "alarm", "group"}

// limitedLog is a slog.Handler that lets nobody fill a disk: a relay, an account
// or a Redis peer can make any line come again and again. What is left out is
// counted, and the newest of it is logged when its time comes.
type limitedLog struct {
	next  slog.Handler
	limit *lineLimit
}

// lineLimit is what all handlers of one log share.
type lineLimit struct {
	now func() time.Time
	// later calls a function after a time, unless it is stopped.
	later func(time.Duration, func()) (stop func() bool)

	mu       sync.Mutex
	messages map[string]map[string]*sameLines // by message, then by name
	forgot   time.Time                        // when messages were dropped last
}

// sameLines are the lines of one message and name.
type sameLines struct {
	left    float64 // that may be logged now
	at      time.Time
	omitted int
	newest  slog.Record // of those omitted
	to      slog.Handler
	stop    func() bool // of the timer that logs it
}

func newLimitedLog(next slog.Handler) *limitedLog {
	return &limitedLog{next: next, limit: &lineLimit{
		now:      time.Now,
		later:    func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop },
		messages: map[string]map[string]*sameLines{},
	}}
}

// Unlimited is the log without the limit, for lines whose number is no secret of
// a peer's: progress.
func Unlimited(log *slog.Logger) *slog.Logger {
	if h, ok := log.Handler().(*limitedLog); ok {
		return slog.New(h.next)
	}
	return log
}

// flushLog logs what is still to be told; nothing may be logged after it.
func flushLog(log *slog.Logger) {
	if h, ok := log.Handler().(*limitedLog); ok {
		h.limit.flush()
	}
}

// Enabled is the next handler's.
func (h *limitedLog) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs is a handler that adds attrs to each line and shares the limit.
func (h *limitedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limitedLog{h.next.WithAttrs(attrs), h.limit}
}

// WithGroup is a handler that groups later attributes and shares the limit.
func (h *limitedLog) WithGroup(name string) slog.Handler {
	return &limitedLog{h.next.WithGroup(name), h.limit}
}

// Handle logs the line, or counts it.
func (h *limitedLog) Handle(ctx context.Context, r slog.Record) error {
	r = shortened(r)
	omitted, ok := h.limit.admit(r, h.next)
	if !ok {
		return nil
	}
	return h.next.Handle(ctx, withOmitted(r, omitted))
}

func withOmitted(r slog.Record, omitted int) slog.Record {
	if omitted > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int(notLogged, omitted))
	}
	return r
}

// admit reports whether the line may be logged, and how many like it were not
// since the last one. Otherwise it keeps the line for later.
func (l *lineLimit) admit(r slog.Record, to slog.Handler) (omitted int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := l.find(r.Level.String()+" "+r.Message, nameOf(r))
	same.fill(l.now())
	if same.left >= 1 && same.omitted == 0 {
		same.left--
		return 0, true
	}
	same.omitted++
	same.newest, same.to = r.Clone(), to
	if same.stop == nil {
		wait := time.Duration((1 - same.left) * float64(lineEvery))
		same.stop = l.later(wait, func() { l.tell(same) })
	}
	return 0, false
}

// stream.fill gives back what time allows.
func (s *sameLines) fill(now time.Time) {
	s.left = min(lineBurst, s.left+float64(now.Sub(s.at))/float64(lineEvery))
	s.at = now
}

// full reports that the lines need not be remembered.
func (s *sameLines) full(now time.Time) bool {
	s.fill(now)
	return s.left >= lineBurst && s.omitted == 0
}

// tell logs the newest line that was kept, with the count of the others.
func (l *lineLimit) tell(same *sameLines) {
	l.mu.Lock()
	if same.omitted == 0 {
		l.mu.Unlock()
		return
	}
	same.fill(l.now())
	same.left--
	line, to := withOmitted(same.newest, same.omitted-1), same.to
	same.omitted, same.newest, same.to, same.stop = 0, slog.Record{}, nil, nil
	l.mu.Unlock()
	_ = to.Handle(context.Background(), line) // as slog does: there is nobody to tell
}

func (l *lineLimit) flush() {
	l.mu.Lock()
	var waiting []*sameLines
	for _, names := range l.messages {
		for _, same := range names {
			if same.omitted > 0 {
				same.stop()
				waiting = append(waiting, same)
			}
		}
	}
	l.mu.Unlock()
	for _, same := range waiting {
		l.tell(same)
	}
}

// find is the entry for a message and name. Too many of either share one.
func (l *lineLimit) find(message, name string) *sameLines {
	now := l.now()
	if l.messages[message] == nil && len(l.messages) >= maxMessages {
		if now.Sub(l.forgot) > time.Second { // it looks at all of them
			l.forgot = now
			l.forget(now)
		}
		if len(l.messages) >= maxMessages {
			message, name = "", ""
		}
	}
	names := l.messages[message]
	if names == nil {
		names = map[string]*sameLines{}
		l.messages[message] = names
	}
	if names[name] == nil && len(names) >= maxNames {
		name = "\x00others"
	}
	if names[name] == nil {
		names[name] = &sameLines{left: lineBurst, at: now}
	}
	return names[name]
}

// forget drops what is not limited at present.
func (l *lineLimit) forget(now time.Time) {
	for message, names := range l.messages {
		for name, same := range names {
			if same.full(now) {
				delete(names, name)
			}
		}
		if len(names) == 0 {
			delete(l.messages, message)
		}
	}
}

// nameOf is what of the line's attributes makes it different from others with
// the same message.
func nameOf(r slog.Record) (name string) {
	r.Attrs(func(a slog.Attr) bool {
		for _, key := range nameKeys {
			if a.Key == key {
				name = strings.Clone(text.Clip(a.Value.String(), maxName))
				return false
			}
		}
		return true
	})
	return name
}

// shortened is the record with texts of at most maxText bytes.
func shortened(r slog.Record) slog.Record {
	long := len(r.Message) > maxText
	r.Attrs(func(a slog.Attr) bool {
		long = long || len(textOf(a.Value)) > maxText
		return !long
	})
	if !long {
		return r
	}
	short := slog.NewRecord(r.Time, r.Level, strings.Clone(text.Clip(r.Message, maxText)), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if long := textOf(a.Value); len(long) > maxText {
			a = slog.String(a.Key, text.Clip(long, maxText)+fmt.Sprintf("… (%d bytes)", len(long)))
		}
		short.AddAttrs(a)
		return true
	})
	return short
}

// textOf is the value as text if it is one, or an error; anything else is empty.
func textOf(v slog.Value) string {
	switch v.Kind() {
	case slog.KindString:
		return v.String()
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return err.Error()
		}
	}
	return ""
}
