package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
	"github.com/fhctl/fhctl/pkg/verify"
)

const (
	// sample is how many of the newest entries the rate is taken from.
	sample = 200
	// entriesRead is how many of them are read as a worker reads them.
	entriesRead = 20
	// roomLittle is the share of the stream's length that must be left before
	// trimming reaches a group: one in so many.
	roomLittle = 4
	// silentGroup is how long no consumer must have asked for a group to be
	// abandoned: workers ask every 100 ms.
	silentGroup = time.Minute
)

func (e *examination) stream(s *stats.Report) {
	switch {
	case !s.Stream.Exists:
		e.warn("stream", "start ingest; if it runs, compare redis-url and stream-key with its own", "%s does not exist yet", s.Stream.Key)
	case s.Stream.TrimAt == nil:
		e.warn("stream", "set max-stream-len, or memory will run out", "%s holds %s and is never trimmed", s.Stream.Key, text.Counted(s.Stream.Length, "entry"))
	default:
		e.ok("stream", "%s holds %s, trimmed at about %s; %s", s.Stream.Key, text.Counted(s.Stream.Length, "entry"),
			text.Thousands(*s.Stream.TrimAt), s.Rate.Text())
	}
}

// entries reads the newest entries as workers do: by position.
func (e *examination) entries(ctx context.Context, r *reader.Reader) error {
	var look entry.Outline
	read := 0
	for stored, err := range r.Latest(ctx, entriesRead) {
		if err != nil {
			return e.passing(ctx, "stream.entries", err)
		}
		read++
		odd := oddity(stored, &look)
		if odd == "" {
			odd = whyDropped(ctx, stored)
		}
		if odd != "" {
			e.fail("stream.entries", "something else writes this stream: stop it, then: "+verifyIt.String(), "entry %s: %s", stored.ID, odd)
			return nil
		}
	}
	e.ok("stream.entries", "the newest %d are as workers read them: type, data, seq", read)
	return nil
}

// oddity is what keeps a worker from reading an entry; "" for none.
func oddity(s reader.Stored, look *entry.Outline) string {
	f := entry.FieldsOf(s.Fields)
	if !f.InOrder {
		return "its fields are not type, data and seq, in that order"
	}
	if kind, known := event.ParseKind(f.Type); !known || kind != event.KindCommit && kind != event.KindIdentity && kind != event.KindAccount {
		return fmt.Sprintf("type %.32q is none that workers know", f.Type)
	}
	if _, ok := s.Seq(); !ok {
		return fmt.Sprintf("seq %.32q is no number of a relay", f.Seq)
	}
	if err := look.Read(f.Data); err != nil {
		return "its data is " + err.Error()
	}
	if f.Type == "commit" && !look.HasOps {
		return "a commit without an ops array, which workers deliver again and again"
	}
	return ""
}

// whyDropped is what makes a worker drop an entry that it can read: what verify finds
// in its data; "" for nothing.
func whyDropped(ctx context.Context, s reader.Stored) (odd string) {
	check := verify.NewStream(verify.Config{Report: func(f verify.Finding) {
		if f.Severity == verify.Error && odd == "" {
			odd = fmt.Sprintf("%s, which workers reject (%s: %s)", f.Where, f.Rule, f.Detail)
		}
	}})
	// It reads nothing again, so it cannot fail.
	_ = check.Entry(ctx, verify.Entry{ID: string(s.ID), Fields: s.Fields})
	return odd
}

func (e *examination) groups(s *stats.Report) {
	key, each := e.streamToType(s)
	if len(s.Groups) == 0 {
		e.warn("groups", "start the workers: they make their group at 0 when they meet NOGROUP; by hand: redis-cli XGROUP CREATE "+key+" firehose-processors 0"+each,
			"no consumer group: nobody reads the stream")
		return
	}
	for i := range s.Groups {
		e.group(&s.Groups[i], s)
	}
	if n := s.DeadLetters.Length; n != nil && *n > 0 {
		e.warn("groups.dead", "redis-cli XREVRANGE "+s.DeadLetters.Key+" + - COUNT 1", "workers gave up on %s", text.Counted(*n, "entry"))
	}
}

func (e *examination) group(g *stats.Group, s *stats.Report) {
	name := "group " + g.Name
	first := reader.ID("")
	if s.Stream.First != nil {
		first = reader.ID(s.Stream.First.ID)
	}
	last := reader.ID(g.LastDelivered)
	key, each := e.streamToType(s)
	switch {
	case len(g.MissingIn) > 0:
		e.warn(name, fmt.Sprintf("redis-cli XGROUP CREATE '%s' %s 0", keyspace.Partition(e.StreamKey, g.MissingIn[0]), g.Name),
			"does not exist in partition %d: nobody reads that", g.MissingIn[0])
	case g.LostUnread || g.LostPending:
		e.fail(name, "add workers or raise max-stream-len; what was trimmed can be stored again: "+fault.Remedy{Do: fault.MoveCursor}.String(), "entries were trimmed before it had finished them")
	case len(g.Consumers) == 0 && last.Compare("0-0") != 0 && last.Compare(first) >= 0:
		e.warn(name, "if it is new: redis-cli XGROUP SETID "+key+" "+g.Name+" 0"+each,
			"stands at %s and nobody ever read with it: it was made at $ instead of 0, so that entries were passed over, or its workers are gone", g.LastDelivered)
	case g.Room != nil && s.Stream.TrimAt != nil && g.Room.Entries < *s.Stream.TrimAt/roomLittle:
		e.warn(name, "add workers, or raise max-stream-len; watch: "+fault.Remedy{Do: fault.Measure}.With("watch", "5s"),
			"%s behind; trimming reaches it in %s, or %s at this rate", text.About(g.Lag, g.LagExact), text.Counted(g.Room.Entries, "entry"), optional(g.Room.Seconds))
	case g.Lag > 0 && asleep(g):
		e.warn(name, "start its workers, or if it is not needed: redis-cli XGROUP DESTROY "+key+" "+g.Name+each,
			"%s behind and no consumer asked for a minute", text.About(g.Lag, g.LagExact))
	default:
		e.ok(name, "%s behind, %s pending, %s", text.About(g.Lag, g.LagExact), text.Thousands(g.Pending), text.Counted(len(g.Consumers), "consumer"))
	}
}

func asleep(g *stats.Group) bool {
	for _, c := range g.Consumers {
		if c.IdleSeconds == nil || *c.IdleSeconds < silentGroup.Seconds() {
			return false
		}
	}
	return true
}

// optional is a span that may be unknown.
func optional(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return text.Span(stats.Duration(*seconds))
}
