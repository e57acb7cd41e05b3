package script

import (
	"context"
	"strconv"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// Scan looks through entries of a stream for those that lie above a cursor.
type Scan struct {
	Command  string // XRANGE or XREVRANGE
	From, To string // where to begin and to end, as those take them
	Count    int    // how many entries at most
	Cursor   event.Seq
	Wanted   string // a seq to look for; "" is none
}

// Scanned is what a Scan found.
type Scanned struct {
	Looked      int    // entries looked at
	First, Last string // ids of the first and the last of them
	Wanted      bool   // the seq that was asked for is among them
	Above       []Line // those above the cursor
}

// Line is one entry above a cursor.
type Line struct {
	ID  string
	Seq event.Seq
	DID string // "" where the entry does not tell it
}

// Run reads the entries one by one within the server: none is too large for it.
func (s Scan) Run(ctx context.Context, c *conn.Client, stream string) (Scanned, error) {
	reply, err := scanScript.Run(ctx, c, []string{stream}, s.Command, s.From, s.To, s.Count, s.Cursor.String(), s.Wanted).Slice()
	if err != nil {
		return Scanned{}, err
	}
	return parseScanned(reply)
}

func parseScanned(reply []any) (s Scanned, err error) {
	if len(reply) < 4 || (len(reply)-4)%3 != 0 {
		return s, conn.ErrReply
	}
	n, ok := reply[0].(int64)
	var wanted string
	if !ok || !textOf(reply[3], &wanted) || !textOf(reply[1], &s.First) || !textOf(reply[2], &s.Last) {
		return s, conn.ErrReply
	}
	s.Looked, s.Wanted = int(n), wanted != ""
	for row := reply[4:]; len(row) > 0; row = row[3:] {
		var line Line
		var digits string
		if !textOf(row[0], &line.ID) || !textOf(row[1], &digits) || !textOf(row[2], &line.DID) {
			return s, conn.ErrReply
		}
		if line.Seq, ok = event.ParseSeq(digits); ok {
			s.Above = append(s.Above, line)
		}
	}
	return s, nil
}

// Found is what a start meets: cursor, side key and newest entry as they were at one
// moment.
type Found struct {
	Cursor  event.Seq
	Present bool   // there is a cursor
	Side    []byte // nil without one; see ParseSide
	Leader  string // the lease of another writer; "" when nobody else leads
	Length  int64
	ID      string    // of the newest entry; "" without one
	Newest  event.Seq // its seq; 0 when it has none
}

// Find reads what a start of a writer with this id in the lease meets.
func Find(ctx context.Context, c *conn.Client, k Keys, writer string) (f Found, err error) {
	fields, err := foundScript.Run(ctx, c, k.list(), writer).StringSlice()
	if err != nil {
		return f, err
	}
	if len(fields) != 6 {
		return f, conn.ErrReply
	}
	f.Cursor, f.Present = event.ParseSeq(fields[0])
	if fields[1] != "" {
		f.Side = []byte(fields[1])
	}
	f.Leader, f.ID = fields[2], fields[4]
	f.Length, _ = strconv.ParseInt(fields[3], 10, 64)
	f.Newest, _ = event.ParseSeq(fields[5])
	return f, nil
}

// Removal is what a stream has lost since it was made.
type Removal struct {
	Length int64
	Gone   int64 // entries that were added and are there no more; -1 where that is not known: before Redis 7
	// Deleted is the highest id that was ever deleted, 0-0 when none was, and "" where
	// the server does not tell. Trimming does not count.
	Deleted string
	Last    string // the last id given; "" where the server does not tell
}

// Removed tells what a stream has lost.
func Removed(ctx context.Context, c *conn.Client, stream string) (r Removal, err error) {
	fields, err := removedScript.Run(ctx, c, []string{stream}).StringSlice()
	if err == nil && len(fields) != 4 {
		err = conn.ErrReply
	}
	if err != nil {
		return Removal{Gone: -1}, err
	}
	r.Length, _ = strconv.ParseInt(fields[0], 10, 64)
	if r.Gone, err = strconv.ParseInt(fields[1], 10, 64); err != nil {
		return r, conn.ErrReply
	}
	r.Deleted, r.Last = fields[2], fields[3]
	return r, nil
}
