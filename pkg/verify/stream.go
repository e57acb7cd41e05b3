package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// Entry is one stored entry of a stream.
type Entry struct {
	ID        string
	Fields    []string // name, value, … in stored order
	Partition int      // of several
}

// Cursor is what stands in the cursor key. The stream may grow while both are read:
// the last entry was read after Before and before After, so that a sound stream
// lies between the two.
type Cursor struct {
	Key           string
	Present       bool
	Before, After string // as stored, read before and after the last entry
	Last          Mark   // the last entry of the stream; zero when there is none
	// Filtered is set when the writer keeps only some events: its cursor then
	// runs ahead of the stream by right, as far as its notes say.
	Filtered bool
	// Stored is the seq of the last entry that the writer stored and Upto where
	// it left the cursor, as it noted; 0 when nobody did. Between the two it
	// had only events that yield no entry. StoredBefore is Stored as it was when
	// Before was read; 0 takes Stored for it.
	Stored, Upto, StoredBefore event.Seq
	// Fix replaces the advice of the rules of the cursor, for one that is not
	// ingest's; "" keeps it.
	Fix string
}

// noted reports whether the writer left notes.
func (c *Cursor) noted() bool { return c.Upto > 0 }

// Explained reports whether the writer itself left the cursor ahead of the last
// entry, and what it stored last is still there.
func (c *Cursor) Explained() bool {
	return c.noted() && !c.moved() && !c.removed() && (c.Stored == 0 || c.Last.Seq <= c.Stored)
}

// moved: the cursor is above where the writer left it.
func (c *Cursor) moved() bool {
	before, _ := event.ParseSeq(c.Before)
	after, _ := event.ParseSeq(c.After)
	return before > c.Upto || after > c.Upto
}

// removed: the stream ends below what the writer had stored by then.
func (c *Cursor) removed() bool {
	stored := c.StoredBefore
	if stored == 0 {
		stored = c.Stored
	}
	return c.Last.Seq < stored
}

// Stream judges the entries of a stream, given in stored order.
type Stream struct {
	*ledger
	order *sequence
	data  data
	revs  revs
}

// NewStream starts a check.
func NewStream(cfg Config) *Stream {
	l := newLedger(cfg)
	s := &Stream{ledger: l, order: newSequence(l)}
	s.data.records.Tape = &s.data.tape
	return s
}

// Entry judges the next entry; it keeps nothing of it but its ID. The error is
// Config.Reread's.
func (s *Stream) Entry(ctx context.Context, e Entry) error {
	chosen := s.cover()
	f := s.fields(&e, chosen)
	seq := event.Seq(0)
	if f.HasSeq {
		var ok bool
		if seq, ok = event.ParseSeq(f.Seq); !ok || !seq.Valid() {
			seq = 0
			s.found(Finding{Rule: SeqInvalid, ID: e.ID, Detail: fmt.Sprintf("seq is %q", clip(f.Seq))})
		}
	}
	s.place(seq, e.ID)
	if seq > 0 {
		if err := s.order.observe(ctx, seq, e.ID); err != nil {
			return err
		}
	}
	if chosen && f.HasType && f.HasData {
		s.contents(&e, seq, f.Type, f.Data)
	}
	return nil
}

// fields finds the three fields workers read by position.
func (s *Stream) fields(e *Entry, report bool) entry.Fields {
	f := entry.FieldsOf(e.Fields)
	if f.InOrder || !report {
		return f
	}
	odd := Finding{Rule: FieldOrder, ID: e.ID, Detail: "the fields are " + names(e.Fields)}
	if missing := f.Missing(); len(missing) > 0 {
		odd.Rule, odd.Detail = FieldMissing, "no "+strings.Join(missing, ", ")
	}
	odd.Seq, _ = event.ParseSeq(f.Seq)
	s.found(odd)
	return f
}

// names lists the first names of fields.
func names(fields []string) string {
	const most = 6
	var list []string
	for name := range slices.Chunk(fields, 2) {
		list = append(list, clip(name[0]))
	}
	if len(list) > most {
		list = append(list[:most], "…")
	}
	return strings.Join(list, ", ")
}

// contents judges type and data.
func (s *Stream) contents(e *Entry, seq event.Seq, typ, text string) {
	kind, ok := event.ParseKind(typ)
	if !ok || kind != event.KindCommit && kind != event.KindIdentity && kind != event.KindAccount {
		s.found(Finding{Rule: TypeUnknown, Seq: seq, ID: e.ID, Detail: fmt.Sprintf("type is %q", clip(typ))})
		return
	}
	s.sum.Kinds[kind]++
	s.data.begin(s.ledger, seq, e.ID)
	s.data.judge(kind, text)
	if n := s.cfg.Partitions; n > 1 && s.data.did != "" {
		if want := entry.PartitionOf(s.data.did, n); want != e.Partition {
			s.found(Finding{Rule: PartitionWrong, Seq: seq, ID: e.ID, Detail: fmt.Sprintf("%s belongs to partition %d", s.data.did, want)})
		}
	}
	if rev, ok := entry.Value(e.Fields, "rev"); ok && kind == event.KindCommit && s.data.did != "" {
		s.rev(seq, e.ID, s.data.did, rev)
	}
}

// rev judges the rev that some writers put into a field of its own.
func (s *Stream) rev(seq event.Seq, id, did, rev string) {
	if !syntax.ValidTID(rev) {
		s.found(Finding{Rule: RevSyntax, Seq: seq, ID: id, Detail: "the field rev is not one"})
		return
	}
	if before := s.revs.see(did, rev, nil); before.known && rev <= before.rev() {
		s.found(Finding{Rule: RevOrder, Seq: seq, ID: id, Detail: fmt.Sprintf("rev %s of %s, after %s", rev, did, before.rev())})
	}
}

// Cursor judges the cursor against the highest seq of the stream, which is the
// last entry's unless that stands out of place. It returns what it compared.
func (s *Stream) Cursor(c Cursor) Cursor {
	if last, ok := s.order.window.last(0); ok && last.Seq > c.Last.Seq {
		c.Last = last
	}
	if seq, ok := event.ParseSeq(c.After); ok {
		if id, ok := s.order.strays[seq]; ok {
			c.Last = Mark{seq, id}
		}
	}
	s.cursor(c)
	return c
}

// PartitionCursor judges the cursor of one partition against its last entry.
func (s *Stream) PartitionCursor(c Cursor) Cursor {
	s.cursor(c)
	return c
}

func (s *Stream) cursor(c Cursor) {
	where := "cursor " + c.Key
	if !c.Present {
		if c.Last.ID != "" {
			s.found(Finding{Rule: CursorMissing, Seq: c.Last.Seq, Where: where, Fix: c.Fix, Detail: fmt.Sprintf("the last entry is seq %d", c.Last.Seq)})
		}
		return
	}
	before, ok1 := event.ParseSeq(c.Before)
	after, ok2 := event.ParseSeq(c.After)
	switch {
	case !ok1 || !ok2:
		s.found(Finding{Rule: CursorInvalid, Where: where, Fix: c.Fix, Detail: fmt.Sprintf("it holds %q", clip(c.After))})
	case c.Last.Seq == 0 && (c.Last.ID != "" || !c.noted() || !c.removed()):
		return // an empty stream, or an entry whose seq was reported
	case after < c.Last.Seq:
		s.found(Finding{Rule: CursorBehind, Seq: after, Where: where, Fix: c.Fix, Detail: fmt.Sprintf("it is %d, the last entry is seq %d: a restart would store events again", after, c.Last.Seq)})
	case after < c.Upto && c.removed():
		s.found(Finding{Rule: EntriesGone, Seq: max(c.Stored, c.StoredBefore), Where: where, Detail: fmt.Sprintf(
			"its writer had stored seq %d and left it at %d; now it is %d, and the last entry is seq %d: what lies between was removed, and the cursor lowered", max(c.Stored, c.StoredBefore), c.Upto, after, c.Last.Seq)})
	case before <= c.Last.Seq || c.Explained():
		return
	case c.Filtered && !c.noted():
		s.found(Finding{Rule: CursorUnproven, Seq: before, Where: where, Fix: c.Fix, Detail: fmt.Sprintf("it is %d, the last entry is seq %d, %d below; the writer filters and left no note of what it stored last", before, c.Last.Seq, before-c.Last.Seq)})
	default:
		s.found(Finding{Rule: CursorAhead, Seq: before, Where: where, Fix: c.Fix, Detail: c.ahead(before)})
	}
}

// ahead says how the cursor came above the last entry, as far as notes tell.
func (c *Cursor) ahead(before event.Seq) string {
	detail := fmt.Sprintf("it is %d, the last entry is seq %d, %d below", before, c.Last.Seq, before-c.Last.Seq)
	if c.Last.ID == "" {
		detail = fmt.Sprintf("it is %d, and there is no entry", before)
	}
	if !c.noted() {
		return detail
	}
	if c.removed() {
		detail += fmt.Sprintf("; its writer had stored seq %d: what lies between was removed", max(c.Stored, c.StoredBefore))
	}
	if c.moved() {
		detail += fmt.Sprintf("; its writer left it at %d: somebody moved it", c.Upto)
	}
	if c.Stored > 0 && c.Last.Seq > c.Stored {
		detail += fmt.Sprintf("; its writer stored seq %d last: something else appended", c.Stored)
	}
	return detail
}

// Deleted reports the highest entry that was deleted from inside the stream,
// and the mark of the entry that follows it now, if there is one.
func (s *Stream) Deleted(id string, following Mark) {
	detail := "nothing follows it"
	if following.ID != "" {
		detail = fmt.Sprintf("it stood before seq %d, %s", following.Seq, following.ID)
	}
	s.found(Finding{Rule: EntryDeleted, ID: id, Detail: detail})
}

// Gone reports events that were stored, were removed by somebody and not read again,
// as a ledger notes it at where. from is 0 when it is not known which was the first.
func (s *Stream) Gone(where string, from, to event.Seq) {
	detail := fmt.Sprintf("seq %d to %d", from, to)
	if from == 0 {
		detail = fmt.Sprintf("what groups had not read up to seq %d", to)
	}
	s.found(Finding{Rule: EntriesGone, Seq: to, Where: where, Detail: detail + " was removed and is gone"})
}

// Close ends the check.
func (s *Stream) Close() Summary {
	s.order.close()
	return s.summary()
}
