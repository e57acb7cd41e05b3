package relay

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

const (
	// maxRetryAfter bounds what a relay may ask for: a typing mistake on
	// its side must not silence the stream for a day.
	maxRetryAfter = 10 * time.Minute
	// patience is how often the same trouble may meet the reader at the same
	// position: the third oversized message is passed over (C9), the third
	// 1003 or 1009 close raises an alarm (C8).
	patience = 3
)

// backoff is the delay after a dial: doubling from min to max, of which the
// jitter, in [0,1), keeps between half and all (C8).
func backoff(attempt int, minimum, maximum time.Duration, jitter float64) time.Duration {
	full := minimum
	for i := 1; i < attempt && full < maximum; i++ {
		full *= 2
	}
	full = min(full, maximum)
	return full/2 + time.Duration(jitter*float64(full/2))
}

// progress judges what each position says about the dials before it.
type progress struct {
	last     event.Position
	attempt  int // dials since the position last advanced
	oversize int // oversized messages met at this position
	refusals int // closes with 1003 or 1009 at this position
	partial  int // idle ends within a message at this position
}

// dialing records that a dial from pos follows after; after is nil on the
// first dial. It reports whether the position advanced since the dial before.
func (p *progress) dialing(pos event.Position, after *breach) (advanced bool) {
	advanced = pos.Start == event.After && (p.last.Start != event.After || pos.Seq > p.last.Seq)
	if advanced {
		p.attempt, p.oversize, p.refusals, p.partial = 0, 0, 0, 0
	}
	p.last = pos
	p.attempt++
	// The trouble came after whatever progress the connection made, so it
	// counts for the new position.
	switch {
	case after == nil:
	case after.cause == causeOversize:
		p.oversize++
	case after.cause == causeUnsupported || after.cause == causeTooBig:
		p.refusals++
	case after.cause == causeIdle && after.unfinished:
		p.partial++
	}
	return advanced
}

// discard says that an oversized message is to be passed over this time (C9).
func (p *progress) discard() bool { return p.oversize >= patience-1 }

// stuck says, once per position, that the relay keeps refusing (C8), or that
// not even passing a message over got beyond it.
func (p *progress) stuck(after *breach) bool {
	switch after.cause {
	case causeUnsupported, causeTooBig:
		return p.refusals == patience
	case causeOversize:
		return p.oversize == patience
	case causeIdle:
		return after.unfinished && p.partial == patience
	}
	return false
}

// retryAfter reads the header of that name: seconds, or a date, which is
// compared with the relay's own clock when it gives one. Nonsense is zero.
func retryAfter(header http.Header) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	when, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(0, when.Sub(now)), maxRetryAfter)
}
