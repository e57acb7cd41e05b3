package replay

import (
	"context"
	"io"
	"sync"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// selectedLog is a log of which only a part is served.
type selectedLog struct {
	relayserver.Log
	mu     sync.Mutex // of choose
	choose chooser
}

// SelectLog is the part of a log that is wanted, for a relayserver to serve to any
// number of clients. It is the log itself where everything is wanted.
func SelectLog(log relayserver.Log, s Selection) relayserver.Log {
	if s.whole() {
		return log
	}
	return &selectedLog{Log: log, choose: chooser{Selection: s}}
}

// Bounds is the part of the log's bounds that the range covers.
func (l *selectedLog) Bounds() (oldest, newest event.Seq) {
	oldest, newest = l.Log.Bounds()
	if from := l.choose.From; from.Kind == place.Seq {
		oldest = max(oldest, from.Seq)
	}
	if until := l.choose.Until; until.Kind == place.Seq {
		newest = min(newest, until.Seq)
	}
	return oldest, max(newest, 0)
}

// Next is the next frame that is wanted.
func (l *selectedLog) Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error) {
	if from := l.choose.From; from.Kind == place.Seq {
		after = max(after, from.Seq-1)
	}
	for {
		seq, raw, err := l.Log.Next(ctx, after)
		if until := l.choose.Until; err == nil && until.Kind == place.Seq && seq > until.Seq {
			err = io.EOF
		}
		if err != nil {
			return 0, nil, err
		}
		if after = seq; l.wants(raw) {
			return seq, raw, nil
		}
	}
}

func (l *selectedLog) wants(raw []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.choose.late = 0 // several clients read: a run of frames is nobody's
	var p Selected
	v, _ := l.choose.frame(raw, &p)
	return v == deliver
}

// logTarget fills a log that is served.
type logTarget struct{ log *relayserver.MemoryLog }

// NewLogTarget gives events to a log that a relayserver serves meanwhile. Finish ends the
// log.
func NewLogTarget(log *relayserver.MemoryLog) Target { return logTarget{log} }

func (logTarget) After() event.Seq            { return 0 }
func (logTarget) Flush(context.Context) error { return nil }

// Put does not take what lies below what was served: a relay's numbers rise.
func (t logTarget) Put(_ context.Context, p *Selected) (bool, error) {
	if _, newest := t.log.Bounds(); p.Seq <= newest {
		return false, nil
	}
	return true, t.log.Append(p.Seq, p.Frame)
}

func (t logTarget) Finish(context.Context, bool) error {
	t.log.End()
	return nil
}
