package output

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	redrawEvery  = 500 * time.Millisecond
	rateSamples  = 7  // redraws over which the rate is measured: three seconds
	assumedWidth = 80 // columns, when the terminal does not say
	clearLine    = "\r\x1b[K"
)

// LineConfig says where a Line draws.
type LineConfig struct {
	Out io.Writer // usually os.Stderr
	// Width gives the terminal's columns; 0 or less is taken as 80. Nil asks
	// Out itself, and turns the line off when that is not a terminal.
	Width func() int
	Now   func() time.Time // nil is time.Now; tests inject another
}

// Line is a status line that is redrawn in place at the bottom of a terminal.
// Log lines go above it through Writer. It is safe for concurrent use. When Out
// is not a terminal nothing is drawn and Writer passes everything through.
type Line struct {
	out   io.Writer
	width func() int
	now   func() time.Time

	mu      sync.Mutex
	status  Status
	bar     *progressing // instead of the status, once SetProgress was called
	set     bool         // a status has come
	drawn   bool         // the line is on the screen
	partial bool         // the log's last write did not end its line
	closed  bool
	last    time.Time // of the last redraw
	since   time.Time // when link and store last changed
	samples []sample
}

type sample struct {
	at     time.Time
	events int64
}

// NewLine makes a line that shows nothing until Set.
func NewLine(cfg LineConfig) *Line {
	l := &Line{out: cfg.Out, width: cfg.Width, now: cfg.Now}
	if l.now == nil {
		l.now = time.Now
	}
	if l.width == nil {
		if file, ok := cfg.Out.(*os.File); ok && IsTerminal(file) {
			l.width = func() int { return columns(file) }
		}
	}
	l.closed = l.width == nil
	return l
}

// IsTerminal reports whether a line can be redrawn in place on file.
func IsTerminal(file *os.File) bool {
	return term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
}

func columns(file *os.File) int {
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// Live reports whether the line draws at all.
func (l *Line) Live() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.closed
}

// Set shows status. It may be called at any rate: the screen changes at most
// twice a second.
func (l *Line) Set(status Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	now := l.now()
	if !l.set || !sameEnds(&l.status, &status) {
		l.since = now
	}
	l.status, l.set = status, true
	if l.last.IsZero() || now.Sub(l.last) >= redrawEvery {
		l.sample(now)
		l.draw(now)
	}
}

// Run calls source twice a second and shows what it gives, until ctx ends. The
// caller owns the goroutine it runs in.
func (l *Line) Run(ctx context.Context, source func() Status) {
	if !l.Live() {
		return
	}
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		l.Set(source())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close takes the line off the screen for good. Writer goes on working.
func (l *Line) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.drawn {
		l.drawn = false
		_, _ = io.WriteString(l.out, clearLine) // no terminal, nothing to clear
	}
}

// Writer is for a logger that shares the terminal: it clears the line, writes,
// and draws the line again. It returns what writing to Out returned.
func (l *Line) Writer() io.Writer { return logWriter{l} }

type logWriter struct{ l *Line }

func (w logWriter) Write(p []byte) (int, error) {
	l := w.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drawn {
		l.drawn = false
		if _, err := io.WriteString(l.out, clearLine); err != nil {
			return 0, err
		}
	}
	n, err := l.out.Write(p)
	if len(p) > 0 {
		l.partial = !bytes.HasSuffix(p, []byte("\n"))
	}
	if err == nil && l.set && !l.closed {
		l.draw(l.now())
	}
	return n, err
}

// draw puts the line on the screen, unless half a log line is there. l.mu is
// held. A terminal that fails to draw is left alone: logs will say.
func (l *Line) draw(now time.Time) {
	if l.partial {
		return
	}
	width := l.width()
	if width <= 0 {
		width = assumedWidth
	}
	text := l.status.render(l.rate(), now.Sub(l.since))
	if l.bar != nil {
		text = l.bar.render(l.rate(), now, width-1)
	}
	text = Cut(text, width-1)
	_, _ = io.WriteString(l.out, "\r"+text+"\x1b[K")
	l.drawn = true
}

// sample remembers how many events there were at a redraw.
func (l *Line) sample(now time.Time) {
	l.last = now
	if len(l.samples) == rateSamples {
		copy(l.samples, l.samples[1:])
		l.samples = l.samples[:rateSamples-1]
	}
	l.samples = append(l.samples, sample{now, l.status.Events})
}

// rate is events a second over the samples.
func (l *Line) rate() float64 {
	if len(l.samples) < 2 {
		return 0
	}
	first, last := l.samples[0], l.samples[len(l.samples)-1]
	passed := last.at.Sub(first.at).Seconds()
	if passed <= 0 {
		return 0
	}
	return max(float64(last.events-first.events)/passed, 0)
}

// sameEnds compares what a wait is for. Errors are left out: not every error
// can be compared.
func sameEnds(a, b *Status) bool {
	return a.Link.State == b.Link.State && a.Link.Attempt == b.Link.Attempt && a.Link.Retry == b.Link.Retry &&
		a.StoreDown == b.StoreDown && a.Store.Attempt == b.Store.Attempt && a.Store.Retry == b.Store.Retry
}
