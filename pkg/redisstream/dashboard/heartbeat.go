package dashboard

import (
	"encoding/json"
	"strings"
	"time"
)

// Heartbeat is the contract's firehose:status, which any writer renews every
// few seconds and which expires after ten.
type Heartbeat struct {
	Present       bool
	Connected     bool
	URL           string
	CurrentCursor string // "" is null
	Writer        string // "fhctl/HOST-PID"; "" is a writer that is not fhctl
	// Stopped is a writer's last words: it has stored all it will.
	Stopped bool
	// Held names what a writer waits for an operator for, an alarm; "" when it does
	// not wait. It stores nothing until the cursor is moved or the relay is repaired.
	Held   string
	stream string // that it writes, of a set its base; "" when it does not say
	maxLen *int64
	// TTL is how long it has left; 0 when this Redis user may not ask.
	TTL time.Duration
}

// MaxLen is at which length its writer trims a stream, 0 for never; false where that is
// not known, or it writes another one.
func (h Heartbeat) MaxLen(streamKey string) (n int64, ok bool) {
	if h.maxLen == nil || streamKey != h.stream && !strings.HasPrefix(streamKey, h.stream+":{") {
		return 0, false
	}
	return *h.maxLen, true
}

// Age is how long ago it was written, at most; 0 when unknown.
func (h Heartbeat) Age() time.Duration {
	if h.TTL <= 0 {
		return 0
	}
	return max(0, statusTTL-h.TTL)
}

// ParseHeartbeat reads what it understands of a status: another writer's may
// hold anything.
func ParseHeartbeat(text string) Heartbeat {
	var s status
	_ = json.Unmarshal([]byte(text), &s)
	h := Heartbeat{Present: true, Connected: s.Connected, URL: s.URL, Writer: s.Writer, Stopped: s.Stopped, Held: s.Held, stream: s.Stream, maxLen: s.MaxLen}
	if s.CurrentCursor != nil {
		h.CurrentCursor = *s.CurrentCursor
	}
	return h
}

// status is the contract's object; what follows currentCursor is ours, and safe to
// add. Stopped tells the last words of a writer from a relay that is away, held one
// that waits for an operator to move the cursor.
type status struct {
	Connected     bool    `json:"connected"`
	URL           string  `json:"url"`
	CurrentCursor *string `json:"currentCursor"`
	Writer        string  `json:"writer"`
	Stopped       bool    `json:"stopped,omitempty"`
	Held          string  `json:"held,omitempty"`
	Stream        string  `json:"stream,omitempty"`
	MaxLen        *int64  `json:"maxStreamLen,omitempty"`
}

// isOurs reports whether a status names an fhctl as its writer.
func isOurs(writer string) bool {
	return len(writer) > len("fhctl/") && strings.HasPrefix(writer, "fhctl/")
}

// nameOfStatus is what a foreign status tells of its writer, in a few words.
func nameOfStatus(s status) string {
	who := "its status names no writer"
	if s.Writer != "" {
		who = "its status says writer " + clip(s.Writer, 60)
	}
	if s.URL != "" {
		who += ", relay " + clip(s.URL, 100)
	}
	return who
}

// ForeignWriter is what a status tells of its writer, in a few words; "" where that is an
// fhctl, or the text is no status.
func ForeignWriter(text string) string {
	var s status
	if json.Unmarshal([]byte(text), &s) != nil || isOurs(s.Writer) {
		return ""
	}
	return nameOfStatus(s)
}
