package audit

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
	"github.com/fhctl/fhctl/pkg/verify"
)

// Stretch is what is to be checked: from From to To, both included. The zero Stretch is
// everything that is stored when the audit begins; what is appended later is not read.
type Stretch struct {
	From, To place.Place
	// Asked is when somebody named the two: of a time before it no more is to come. Zero
	// is the present.
	Asked time.Time
}

// Options says how to judge, and who hears. The zero Options judges everything and
// reports nothing but the Summary.
type Options struct {
	// Rules are Strict, Report, MaxFindings, Sample, Seed, Now and Signature of a
	// verify.Config. The rest of it is the audit's own, which knows the source.
	Rules verify.Config
	// CursorFix replaces the advice of the rules about the cursor, for one that ingest
	// does not use; "" keeps it.
	CursorFix string
	// Progress hears how far it is, from the goroutine of the audit: at once when reading
	// begins, then with every 512th entry or 64th frame. It may be nil.
	Progress func(Progress)
	// Logger hears what could not be looked up; nil is silent.
	Logger *slog.Logger
}

// Progress is how far an audit is.
type Progress struct {
	Done     int64     // entries or frames
	Seq      event.Seq // of the last of them
	Fraction float64   // from 0 to 1; below 0 when it is unknown
}

// Summary is what was covered and what was found.
type Summary struct {
	verify.Summary
	// Cursor is the cursor as it was compared with the last entry, of a set the last
	// partition's; nil where none was, since the stretch ends before the stream does.
	Cursor *verify.Cursor
	// Lacks says in sentences what of the stretch is not stored. Each is a finding too.
	Lacks []string
}

// Nothing is the error where there is nothing to check. Its class is fault.Unreachable,
// and its hint, where it has one, says what there is instead.
type Nothing struct {
	// Other is set where the stream that is compared with is empty.
	Other bool
	// What would have been checked: "entries" or "frames".
	What string
}

// Error says so; who has a name for the source says it better.
func (n *Nothing) Error() string {
	if n.Other {
		return "nothing to compare: the other stream is empty"
	}
	return "nothing to check: there are no " + n.What + " in the range"
}

// errNothing is a Nothing with its class.
func errNothing(n Nothing, hint string) error { return fault.New(fault.Unreachable, &n, hint) }

// MissingStream is the error where a stream does not exist. It wraps reader.ErrNoStream,
// and its class is fault.Unreachable.
type MissingStream struct {
	Key   string
	Other bool // it is the one that is compared with
}

// Error names the stream.
func (m *MissingStream) Error() string { return "there is no stream " + m.Key }

// Unwrap is reader.ErrNoStream.
func (m *MissingStream) Unwrap() error { return reader.ErrNoStream }

// tellEach is how many entries pass between two calls of Options.Progress.
const tellEach = 512

// audit is one audit under way.
type audit struct {
	Options
	Stretch
	summary Summary
}

func newAudit(s Stretch, o Options) *audit {
	if s.Asked.IsZero() {
		s.Asked = time.Now()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &audit{Options: o, Stretch: s}
}

// rules are those of Options, without what the audit knows better.
func (a *audit) rules() verify.Config {
	r := a.Rules
	return verify.Config{Strict: r.Strict, Report: r.Report, MaxFindings: r.MaxFindings, Sample: r.Sample, Seed: r.Seed, Now: r.Now, Signature: r.Signature}
}

func (a *audit) tell(done int64, fraction float64, seq event.Seq) {
	if a.Progress != nil {
		a.Progress(Progress{Done: done, Seq: seq, Fraction: fraction})
	}
}

// end is the summary of an audit that began; err is why it ended early.
func (a *audit) end(sum verify.Summary, err error) (*Summary, error) {
	a.summary.Summary = sum
	return &a.summary, err
}

// holds says what a stream holds, as a hint.
func holds(b reader.Bounds) string {
	if b.Length == 0 {
		return fault.Remedy{Do: fault.Ingest}.String() + " fills it; " + fault.To("stream-key", "") + " names another"
	}
	first, _ := b.First.Seq()
	last, _ := b.Last.Seq()
	return fmt.Sprintf("it holds seq %d to %d, ids %s to %s, stored %s to %s", first, last, b.First.ID, b.Last.ID,
		text.Time(b.First.ID.Time()), text.Time(b.Last.ID.Time()))
}
