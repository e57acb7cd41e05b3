package strangers

import (
	"context"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Stream is the stream that is looked at.
type Stream struct {
	Client *conn.Client
	Key    string
	// Retry runs do until it succeeds, fails for good or ctx ends; doing names it in errors.
	Retry func(ctx context.Context, doing string, do func(context.Context) error) error
}

const (
	// MostLooked is how far back a stream is searched, in entries.
	MostLooked = 250_000
	// LookPage is how many entries one call looks at.
	LookPage = 1000
)

// Holds reports whether the entry of a seq is in the stream, among the last MostLooked.
func (s *Stream) Holds(ctx context.Context, seq event.Seq) (bool, error) {
	start := "+"
	for looked := 0; looked < MostLooked; looked += LookPage {
		p, err := s.scan(ctx, "XREVRANGE", start, "-", event.MaxSeq, seq.String())
		if err != nil || p.Wanted || p.Looked < LookPage {
			return p.Wanted, err
		}
		start = "(" + p.Last
	}
	return false, nil
}

// FirstAbove is an id behind which all entries with a seq above one lie. They are near
// the stream's end.
func (s *Stream) FirstAbove(ctx context.Context, seq event.Seq) (reader.ID, error) {
	first, start := reader.ID(""), "+"
	for looked := 0; looked < MostLooked; {
		p, err := s.scan(ctx, "XREVRANGE", start, "-", seq, "")
		if err != nil {
			return "", err
		}
		if n := len(p.Above); n > 0 {
			first = reader.ID(p.Above[n-1].ID)
		} else if p.Looked > 0 && first == "" {
			first = reader.ID(p.First).Next()
		}
		if looked += p.Looked; len(p.Above) == 0 || p.Looked < LookPage {
			break
		}
		start = "(" + p.Last
	}
	if before, ok := first.Previous(); ok {
		return before, nil
	}
	return "0-0", nil
}

// scan looks at no more than LookPage entries.
func (s *Stream) scan(ctx context.Context, command, from, to string, cursor event.Seq, wanted string) (found script.Scanned, err error) {
	err = s.Retry(ctx, "look for other writers' entries", func(ctx context.Context) (err error) {
		found, err = script.Scan{Command: command, From: from, To: to, Count: LookPage, Cursor: cursor, Wanted: wanted}.Run(ctx, s.Client, s.Key)
		return err
	})
	return found, err
}
