package spill

import (
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// noticePause is the least time between two alarms of the same notice.
const noticePause = time.Minute

var errReported = errors.New("the relay reported an error")

// takeNotices acts on what the relay says about itself, and takes it out of a chunk that
// goes to disk. A notice concerns the connection it came on and the cursor that was
// asked for there: the receiver, which would find it later and elsewhere, would take it
// for an answer to its own cursor. f.mu is held.
func (f *flow) takeNotices(chunk *event.Chunk) {
	rest := chunk.Frames[:0]
	for _, fr := range chunk.Frames {
		if _, ok := frame.PeekSeq(fr.Data); !ok && fr.Fault == event.ReasonNone && f.notice(fr.Data) {
			continue
		}
		rest = append(rest, fr)
	}
	clear(chunk.Frames[len(rest):])
	chunk.Frames = rest
}

// notice acts on a frame without a seq; false when it is no notice.
func (f *flow) notice(data []byte) bool {
	if f.claims.decoder.Decode(data, &f.claims.decoded) != nil {
		return false
	}
	name := string(f.claims.decoded.Notice.Name)
	switch f.claims.decoded.Kind {
	case event.KindInfo:
		if name == "OutdatedCursor" {
			f.noticeAlarm(event.AlarmWindow, "the relay says OutdatedCursor: it no longer held everything after the last frame on disk")
		} else {
			f.cfg.Logger.Info("Relay notice", "name", name)
		}
	case event.KindError:
		if name == "FutureCursor" {
			f.noticeAlarm(event.AlarmFuture, "the relay says FutureCursor: it knows no event as late as the last frame on disk; it is asked again")
		}
		f.hangUpPump(fmt.Errorf("%w: %q", errReported, name)) // it may leave the socket open (F4)
	default:
		return false
	}
	return true
}

// noticeAlarm raises an alarm, unless the same was raised a moment ago: a relay that
// goes on saying so is asked again every few seconds.
func (f *flow) noticeAlarm(a event.Alarm, detail string) {
	now := time.Now()
	if last, told := f.claims.noticed[a]; told && now.Sub(last) < noticePause {
		return
	}
	if f.claims.noticed == nil {
		f.claims.noticed = map[event.Alarm]time.Time{}
	}
	f.claims.noticed[a] = now
	f.cfg.Alarm(a, f.high, detail)
}
