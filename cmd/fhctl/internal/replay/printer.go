package replay

import (
	"bufio"
	"context"
	"io"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/replay"
)

// printer is the target that writes events to standard output.
type printer struct {
	out     *bufio.Writer
	raw     bool
	text    *output.Columns // nil prints JSON
	source  string
	outline entry.Outline
	line    []byte
}

func newPrinter(w io.Writer, p *replayPlan) *printer {
	t := &printer{out: bufio.NewWriterSize(shell.Visible(w), 64<<10), raw: p.raw, text: p.columns, source: output.FromRelay}
	if p.source.Kind == endpoint.EndStream {
		t.source = output.FromStream
	}
	return t
}

func (t *printer) After() event.Seq            { return 0 }
func (t *printer) Flush(context.Context) error { return t.out.Flush() }

func (t *printer) Finish(context.Context, bool) error { return t.out.Flush() }

func (t *printer) Put(_ context.Context, e *replay.Selected) (bool, error) {
	switch {
	case t.raw && e.Frame != nil:
		return true, t.write(output.AppendFrame(t.line[:0], e.Frame))
	case t.raw:
		return true, output.WriteEntry(t.out, string(e.Stored.ID), e.Stored.Fields)
	case !e.HasEntry:
		return false, nil
	}
	err := t.event(e)
	if len(e.Data) > shell.LargeItem {
		t.outline = entry.Outline{} // which points into the data
	}
	return true, err
}

// write keeps the memory of a line for the next, unless it is large.
func (t *printer) write(line []byte) error {
	if t.line = line; cap(line) > shell.LargeItem {
		t.line = nil
	}
	_, err := t.out.Write(line)
	return err
}

// event renders one event as tail does.
func (t *printer) event(e *replay.Selected) error {
	shown := output.Event{
		Source: t.source, ID: string(e.Stored.ID), At: e.At, Sent: e.Sent,
		Kind: e.Type, Seq: e.Seq, Data: e.Data, Skipped: e.Skipped, Op: -1,
	}
	if err := t.outline.Read(shown.Data); err != nil {
		shown.Data, shown.Fault, shown.Fields = "", "data is "+err.Error(), e.Stored.Fields
	}
	shown.Outline = t.outline
	if t.text == nil {
		return output.WriteJSON(t.out, &shown)
	}
	if len(shown.Outline.Ops) > 0 {
		shown.Op = 0
	}
	return t.write(t.text.Append(t.line[:0], &shown))
}
