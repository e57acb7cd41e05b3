package stats

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// Options are what a report is made by. The zero value measures no rate, trims
// nothing, knows no window and checks nothing.
type Options struct {
	Redis string // the server's URL; the report shows it without its password
	// Relay is the host that the settings name, to notice a cursor of another one;
	// "" when they name none.
	Relay     string
	MaxLength int64 // at which the writer trims the stream, of a set altogether; 0 never
	// Sample is how many of the newest entries rate and shares are measured by; 0
	// measures neither. It ends early after 64 MiB.
	Sample int
	// Window is how far back the relay can replay; WindowAssumed says that nobody
	// said so.
	Window        time.Duration
	WindowAssumed bool
	Groups        []string // show and check these alone; none means all
	Limits        Limits
}

// sampleBytes ends a sample of huge entries early.
const sampleBytes = 64 << 20

// Collect reads what a report needs, a bounded part of the stream however long it
// is, and holds it against the limits. It changes nothing. A stream that does not
// exist is reported as such. Of what this Redis user may not read, and of a cursor
// that is none, the report says why it is unknown; errors are those of the Reader.
func Collect(ctx context.Context, reader *reader.Reader, o Options) (*Report, error) {
	c := &collector{reader, o}
	read := c.report
	if reader.IsSet() {
		read = c.set
	}
	r, err := read(ctx)
	if err != nil {
		return nil, err
	}
	for _, want := range o.Groups {
		if r.Group(want) == nil && r.Stream.Exists {
			r.Missing = append(r.Missing, want)
		}
	}
	r.Checks = o.Limits.judge(r, o.Groups)
	return r, nil
}

// collector reads one stream.
type collector struct {
	reader  *reader.Reader
	options Options
}

func (c *collector) report(ctx context.Context) (*Report, error) {
	f := &facts{
		redis: fault.Redact(c.options.Redis), streamKey: c.reader.StreamKey(), cursorKey: c.reader.CursorKey(),
		relay: c.options.Relay, maxLength: c.options.MaxLength, window: c.options.Window, windowAssumed: c.options.WindowAssumed, added: -1,
	}
	for _, read := range []func(context.Context, *facts) error{c.ends, c.size, c.groups, c.sample, c.losses, c.deadLetters, c.cursorTime, c.clock} {
		if err := read(ctx, f); err != nil {
			return nil, err
		}
	}
	return f.report(), nil
}

// ends reads both ends of the stream and the cursor. A writer at work moves
// them together, so a pair that does not fit is read again: the time that the
// side key keeps is that of the cursor's entry alone.
func (c *collector) ends(ctx context.Context, f *facts) (err error) {
	for range 3 {
		f.bounds, err = c.reader.Bounds(ctx)
		if f.exists = err == nil; !f.exists && !errors.Is(err, reader.ErrNoStream) {
			return err
		}
		f.cursor, err = c.reader.Cursor(ctx)
		if class := fault.ClassOf(err); class == fault.Data || class == fault.Refused {
			f.cursorWhy = err.Error()
			return nil
		}
		if seq, ok := f.bounds.Last.Seq(); err != nil || !ok || seq == f.cursor.Seq {
			return err
		}
	}
	return nil
}

func (c *collector) size(ctx context.Context, f *facts) (err error) {
	if !f.exists {
		return nil
	}
	if f.added, err = c.reader.EntriesAdded(ctx); err != nil && !errors.Is(err, reader.ErrNoStream) {
		return err
	}
	f.memory, f.memoryWhy, err = c.reader.MemoryUsage(ctx)
	return err
}

func (c *collector) groups(ctx context.Context, f *facts) error {
	if !f.exists {
		return nil
	}
	groups, err := c.reader.Groups(ctx)
	if err != nil && !errors.Is(err, reader.ErrNoStream) {
		return err
	}
	for _, g := range groups {
		if len(c.options.Groups) > 0 && !slices.Contains(c.options.Groups, g.Name) {
			continue
		}
		facts := groupFacts{Group: g}
		if g.Lag > 0 {
			if facts.unread, _, err = c.reader.Following(ctx, g.LastDelivered); err != nil {
				return err
			}
		}
		if g.Pending > 0 {
			if facts.deliveries, err = c.reader.Redeliveries(ctx, g.Name); err != nil {
				return err
			}
		}
		f.groups = append(f.groups, facts)
	}
	return nil
}

func (c *collector) sample(ctx context.Context, f *facts) error {
	if !f.exists {
		return nil
	}
	var look entry.Outline
	for s, err := range c.reader.Newest(ctx, c.options.Sample) {
		if err != nil {
			return err
		}
		if f.sample.add(s, &look); f.sample.bytes > sampleBytes {
			break
		}
	}
	return nil
}

// clock comes last, so that no entry lies in the future.
func (c *collector) clock(ctx context.Context, f *facts) (err error) {
	f.at, f.serverClock, err = c.reader.Now(ctx)
	if err == nil && !f.serverClock {
		f.at = time.Now()
	}
	return err
}

func (c *collector) deadLetters(ctx context.Context, f *facts) (err error) {
	f.dead, err = c.reader.DeadLetters(ctx)
	return err
}

// cursorTime finds the cursor's entry where the side key does not tell the
// event's time: when it was stored has to do.
func (c *collector) cursorTime(ctx context.Context, f *facts) error {
	if !f.exists || f.cursor.Seq == 0 || f.cursorTime() != nil {
		return nil
	}
	s, found, err := c.reader.SeekSeq(ctx, f.cursor.Seq)
	if seq, _ := s.Seq(); found && seq == f.cursor.Seq {
		f.cursorEntry = s
	}
	return err
}
