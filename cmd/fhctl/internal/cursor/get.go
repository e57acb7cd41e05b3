package cursor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
)

func newCursorGetCommand(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "get", Short: "Print the saved position",
		Long: `Print the seq of the last stored event, and nothing else. Without a cursor, or
where the key holds something that is no seq, it prints nothing and exits with 6.

-o json adds whose cursor it is, the time and age of its event, the end of the
stream, and the heartbeat of the writer, if one is running.`,
		Args: shell.AtMost(0),
		Example: `  fhctl cursor get
  fhctl cursor get --cursor-key firehose:python_cursor --redis-url redis://redis:6379
  fhctl cursor get -o json | jq .ageSeconds`,
	}
	format := shell.AddFormat(cmd)
	shell.AddSettings(cmd, config.GroupRelay, config.GroupRedis)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		if err := format.Check(); err != nil {
			return err
		}
		r, err := settings.OpenReader(ctx, env.Log, cfg)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		return getCursor(ctx, env, cfg, r, format)
	})
	return cmd
}

func getCursor(ctx context.Context, env *shell.Env, cfg *config.Config, r *reader.Reader, format *shell.Format) error {
	each, err := r.Cursors(ctx)
	if err != nil {
		return err
	}
	state := reader.LowestCursor(each)
	unusable := cursorUnusable(r.CursorKey(), state)
	if format.Name == "text" {
		if unusable == nil {
			_, err = fmt.Fprintln(env.Out, state.Seq)
			tellApart(env, r, each)
		}
		return errors.Join(unusable, err)
	}
	report, err := reportCursor(ctx, r, state, time.Now())
	if err != nil {
		return err
	}
	if r.IsSet() {
		report.Partitions = partitionCursors(r, each)
	}
	if err := format.Write(env.Out, report, nil); err != nil {
		return err
	}
	return unusable
}

// cursorUnusable is the error of a cursor that says no place.
func cursorUnusable(key string, state reader.CursorState) error {
	switch {
	case !state.Present:
		return fault.New(fault.Cursor, fmt.Errorf("there is no cursor in %s", key),
			`"fhctl ingest" would start live; choose another place with: fhctl cursor set SEQ|oldest|TIME`)
	case state.NotSeq:
		return fault.New(fault.Cursor, fmt.Errorf("cursor %s holds %.32q, which is not a seq", key, state.Raw),
			"write a good one with: fhctl cursor set SEQ")
	}
	return nil
}

// cursorGetReport is fhctl cursor get -o json.
type cursorGetReport struct {
	V      int        `json:"v"`
	Key    string     `json:"key"`
	Cursor *event.Seq `json:"cursor"` // null is none; see raw
	Raw    *string    `json:"raw"`    // what the key holds; null is no key
	// Relay is the host whose seq it is. It is assumed where nothing is
	// stored about it: the Python bridge, which wrote no such key, always
	// read that one.
	Relay        *string `json:"relay"`
	RelayAssumed bool    `json:"relayAssumed"`
	Filter       *string `json:"filter"` // fingerprint of ingest's filters
	Epoch        int64   `json:"epoch"`  // moves made on purpose
	// EventTime is the event's, as the relay sent it; StoredAt when Redis
	// stored its entry. AgeSeconds counts from the first of them known.
	EventTime  *string       `json:"eventTime"`
	StoredAt   *time.Time    `json:"storedAt"`
	AgeSeconds *float64      `json:"ageSeconds"`
	Stream     *streamEnd    `json:"stream"` // null is no stream
	Writer     *stats.Writer `json:"writer"` // null is no heartbeat
	// Partitions has the cursor of each, where there are several; Cursor is
	// then the lowest, where ingest would go on.
	Partitions []partitionCursor `json:"partitions,omitempty"`
}

// partitionCursor is the cursor of one partition.
type partitionCursor struct {
	Partition int        `json:"partition"`
	Key       string     `json:"key"`
	Cursor    *event.Seq `json:"cursor"`
	Raw       *string    `json:"raw"`
	Epoch     int64      `json:"epoch"`
}

func partitionCursors(r *reader.Reader, each []reader.CursorState) (list []partitionCursor) {
	for i, part := range r.Partitions() {
		c := &each[i]
		row := partitionCursor{Partition: i, Key: part.CursorKey(), Epoch: c.Side.Epoch}
		if c.Present {
			row.Raw = &c.Raw
		}
		if c.Present && !c.NotSeq {
			row.Cursor = &c.Seq
		}
		list = append(list, row)
	}
	return list
}

// tellApart says on standard error which partitions are ahead of the lowest.
func tellApart(env *shell.Env, r *reader.Reader, each []reader.CursorState) {
	lowest := reader.LowestCursor(each)
	for i, part := range r.Partitions() {
		if c := &each[i]; c.Raw != lowest.Raw {
			fmt.Fprintf(env.Err, "%s is %s; ingest goes on at the lowest, and this partition drops what it has\n", part.CursorKey(), nameCursor(c.Raw))
		}
	}
}

// streamEnd is the end of the stream beside a cursor.
type streamEnd struct {
	Key          string     `json:"key"`
	Length       int64      `json:"length"`
	LastSeq      *event.Seq `json:"lastSeq"`
	LastID       *string    `json:"lastId"`
	LastStoredAt *time.Time `json:"lastStoredAt"`
}

// longestWindow is how far back relays go, with some to spare.
const longestWindow = 7 * 24 * time.Hour

func reportCursor(ctx context.Context, r *reader.Reader, state reader.CursorState, now time.Time) (*cursorGetReport, error) {
	c := &cursorGetReport{
		V: cursorVersion, Key: r.CursorKey(), Relay: unlessEmpty(state.Relay()),
		RelayAssumed: state.Present && !state.SidePresent && !state.NotSeq,
		Filter:       unlessEmpty(state.Side.Filter), Epoch: state.Side.Epoch,
		EventTime: unlessEmpty(state.Side.EventTime), Writer: stats.WriterOf(state.Status),
	}
	if state.Present {
		c.Raw = &state.Raw
	}
	var err error
	if c.Stream, err = reportStreamEnd(ctx, r); err != nil {
		return nil, err
	}
	if !state.Present || state.NotSeq {
		c.EventTime = nil
		return c, nil
	}
	c.Cursor = &state.Seq
	at, err := storedAt(ctx, r, state.Seq)
	if err != nil {
		return nil, err
	}
	c.StoredAt = unlessZero(at)
	stored := at
	if stored.IsZero() && c.Stream != nil && c.Stream.LastStoredAt != nil {
		stored = *c.Stream.LastStoredAt
	}
	if sent, ok := state.EventTime(stored, now, longestWindow); ok {
		at = sent
	}
	if !at.IsZero() {
		age := roundSeconds(now.Sub(at))
		c.AgeSeconds = &age
	}
	return c, nil
}

func reportStreamEnd(ctx context.Context, r *reader.Reader) (*streamEnd, error) {
	b, err := r.Bounds(ctx)
	if errors.Is(err, reader.ErrNoStream) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	end := &streamEnd{Key: r.StreamKey(), Length: b.Length, LastID: unlessEmpty(string(b.Last.ID)), LastStoredAt: unlessZero(b.Last.ID.Time())}
	if seq, ok := b.Last.Seq(); ok {
		end.LastSeq = &seq
	}
	return end, nil
}
