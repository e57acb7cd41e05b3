// Package ranges reads where a range of events begins and ends, and says what of it is not
// held.
package ranges

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
)

// BeginWords complete a flag that says where to begin.
var BeginWords = []cobra.Completion{"10m", "1h", "yesterday", "oldest", "newest", "live", "seq:"}

// ParseBegin reads where a range begins; "" is nowhere. Seq 0 is below every seq,
// so it is the oldest.
func ParseBegin(flag, text string, now time.Time) (place.Place, error) {
	if text == "" {
		return place.Place{}, nil
	}
	p, err := place.Parse(text, now)
	switch {
	case err != nil:
		return p, fmt.Errorf("flag %s: %w", flag, err)
	case p.Kind == place.Saved:
		return p, shell.UsageError(fmt.Errorf(`flag %s: "saved" is where ingest goes on, and no place to begin here`, flag), place.Hint)
	case p.Kind == place.Seq && p.Seq == 0:
		p.Kind = place.Oldest
	}
	return p, nil
}

// ParseEnd reads where a range ends, that place included; "" is nowhere.
func ParseEnd(flag, text string, now time.Time) (place.Place, error) {
	if text == "" {
		return place.Place{}, nil
	}
	p, err := place.Parse(text, now)
	if err != nil {
		return p, fmt.Errorf("flag %s: %w", flag, err)
	}
	return p, CheckEnd(flag, p)
}

// CheckEnd refuses places where no range ends.
func CheckEnd(flag string, p place.Place) error {
	switch {
	case p.Kind == place.Oldest || p.Kind == place.Live || p.Kind == place.Saved:
		return shell.UsageError(fmt.Errorf("flag %s: %q is where a range can begin, not where it ends", flag, p.Text), "leave it out: what is stored is read up to its present end")
	case p.Kind == place.Seq && p.Seq == 0:
		return shell.UsageError(fmt.Errorf("flag %s: no event has seq 0, so nothing lies before it", flag), "write the last seq that is wanted")
	}
	return nil
}

// LooksLikePlace reports whether a text that is no place was meant for one: it
// has the digits of a clock or of too high a seq.
func LooksLikePlace(text string) bool {
	_, err := place.Parse(text, time.Now())
	bad, ok := errors.AsType[*place.Error](err)
	return ok && fault.HintOf(err) != place.Hint && bad.Text != ""
}

// Beginning is where a stream, or a set that was trimmed unevenly, begins to hold
// everything. Its seq is 0 when the entry there has none.
type Beginning struct {
	Seq event.Seq
	Id  reader.ID
}

// HeldSince finds it. A partition that was never trimmed lacks nothing.
func HeldSince(ctx context.Context, stream *reader.Reader, b reader.Bounds) (held Beginning, err error) {
	held.Id = b.First.ID
	held.Seq, _ = b.First.Seq()
	if !stream.IsSet() {
		return held, nil
	}
	for _, part := range stream.Partitions() {
		b, err := part.Bounds(ctx)
		if errors.Is(err, reader.ErrNoStream) || err == nil && b.Length == 0 {
			continue
		}
		if err != nil {
			return held, err
		}
		added, err := part.EntriesAdded(ctx)
		if err != nil {
			return held, err
		}
		if added == b.Length {
			continue
		}
		if seq, _ := b.First.Seq(); seq > held.Seq {
			held.Seq = seq
		}
		if b.First.ID.Compare(held.Id) > 0 {
			held.Id = b.First.ID
		}
	}
	return held, nil
}

// Lacks says what of the beginning of a range is not held; "" when all of it is.
func (h Beginning) Lacks(from place.Place, name string) string {
	early := false
	switch from.Kind {
	case place.Seq:
		early = h.Seq > 0 && from.Seq < h.Seq
	case place.Time:
		early = reader.IDAt(from.Time).Compare(h.Id) < 0 && from.Time.UnixMilli() < h.Id.Time().UnixMilli()
	case place.ID:
		early = reader.ID(from.ID).Compare(h.Id) < 0
	}
	if !early {
		return ""
	}
	return fmt.Sprintf("asked for from %s on, but %s begins with %s: what lies before is not covered", from, name, NameMark(h.Seq, h.Id))
}

// LacksEnd says what of the end of a range a stream that ends with last does not
// hold yet; "" when all of it is there. A time up to now has no more to come.
func LacksEnd(to place.Place, last reader.Stored, reached event.Seq, name string, now time.Time) string {
	seq, _ := last.Seq()
	early := false
	switch to.Kind {
	case place.Seq:
		early = to.Seq > max(seq, reached)
	case place.Time:
		early = to.Time.After(now) && to.Time.After(last.ID.Time())
	case place.ID:
		id := reader.ID(to.ID)
		early = id.Compare(last.ID) > 0 && id.Compare(reader.IDAt(now)) > 0
	}
	if !early {
		return ""
	}
	return fmt.Sprintf("asked for up to %s, but %s ends with %s: what is still to come is not covered", to, name, NameMark(seq, last.ID))
}

// NameMark names an entry for people: by its seq and when it was stored.
func NameMark(seq event.Seq, id reader.ID) string {
	if seq == 0 {
		return fmt.Sprintf("entry %s, stored %s", id, text.Time(id.Time()))
	}
	return fmt.Sprintf("seq %s, stored %s", seq, text.Time(id.Time()))
}

// TellLacks logs what of a range is not held, in the words of verify.
func TellLacks(log *slog.Logger, why ...string) {
	for _, part := range why {
		if part != "" {
			log.Warn("The range is covered in part: " + part)
		}
	}
}
