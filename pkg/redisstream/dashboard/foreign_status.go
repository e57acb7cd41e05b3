package dashboard

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/text"
)

// foreign is what a Dashboard knows of something else that writes the status.
type foreign struct {
	who  string // as told last; "" when nobody is there
	seen time.Time
}

// foreignGone is how long a foreign status must stay away before its writer counts
// as gone. Such a writer writes every few seconds, and between two of its statuses
// ours stands: one of ours says nothing about whether the other still runs.
const foreignGone = time.Minute

// lookAt tells a status of our own, or of another fhctl, from a foreign one. What
// is found before the first status was written was left by whoever ran before us.
// A foreign writer is told of once, and again when it is another or comes back.
func (d *Dashboard) lookAt(found []byte) {
	now := time.Now()
	var s status
	known := len(found) == 0 || json.Unmarshal(found, &s) == nil && isOurs(s.Writer)
	switch {
	case d.wrote == nil:
	case known && d.foreign.who != "" && now.Sub(d.foreign.seen) >= foreignGone:
		d.config.Logger.Info("No other program writes the status any more", "key", StatusKey, "was", d.foreign.who)
		d.foreign = foreign{}
		d.config.Foreign(false)
	case !known:
		d.foreign.seen = now
		who := nameOfStatus(s)
		if who == d.foreign.who {
			return
		}
		d.foreign.who = who
		d.config.Foreign(true)
		at := ""
		if s.CurrentCursor != nil && *s.CurrentCursor != "" {
			at = ", now at seq " + clip(*s.CurrentCursor, 20)
		}
		d.config.Alarm(event.AlarmForeign, "another program writes "+StatusKey+" ("+who+at+
			"): a Python bridge, or the app's own producer (its Reconnect button starts it); entries of such a writer are duplicates")
	}
}

// clip bounds text that somebody else wrote.
func clip(foreign string, most int) string {
	return text.Shorten(strings.ToValidUTF8(foreign, "?"), most)
}
