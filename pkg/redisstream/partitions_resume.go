package redisstream

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/wait"
)

// Resume is Writer.Resume for the set: reading begins at the lowest cursor. It is
// never live for one partition and saved for another: a cursor that is missing
// beside others is restored to the newest entry of its stream or, where that is
// empty, to the lowest of the others.
//
// Cursors that were moved one by one, as an interrupted "fhctl cursor set" leaves
// them, are a fault.Cursor, and so are those of another number of partitions.
func (s *PartitionSet) Resume(ctx context.Context) (event.Resume, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.awaitRoom(ctx); err != nil {
		return event.Resume{}, err
	}
	if !s.opened {
		if err := s.finishRefilter(ctx); err != nil {
			return event.Resume{}, err
		}
	}
	stands, err := s.look(ctx)
	if err != nil {
		return event.Resume{}, err
	}
	known := s.parts[0].knows()
	if !anyPresent(stands) && !s.seen(known) && !s.left(stands) {
		return s.coldStart(ctx, stands)
	}
	if stands, err = s.restored(ctx, stands, known); err != nil {
		return event.Resume{}, err
	}
	if err := s.inOrder(ctx, stands); err != nil {
		return event.Resume{}, err
	}
	if stands, err = s.returned(ctx, stands); err != nil {
		return event.Resume{}, err
	}
	if from := s.config.From; from.Requested && !s.parts[0].knows().anotherHasLed && !allApplied(stands, from) {
		return s.begin(ctx, stands)
	}
	if err := s.moved(stands); err != nil {
		return event.Resume{}, err
	}
	lowest := s.adopt(stands)
	s.remember(ctx)
	at := event.Resume{Position: after(s.at), Time: eventTime(&stands[lowest])}
	at.Why = s.why(stands, lowest)
	return at, nil
}

// remember learns what no group has acknowledged in any partition: what vanishes
// before the first batch must be known too.
func (s *PartitionSet) remember(ctx context.Context) {
	s.each(ctx, func(ctx context.Context, p *partition) error {
		p.rememberNow(ctx)
		return nil
	})
}

func anyPresent(stands []standing) bool {
	for i := range stands {
		if stands[i].present {
			return true
		}
	}
	return false
}

func allApplied(stands []standing, from From) bool {
	for i := range stands {
		if !applied(&stands[i], from) {
			return false
		}
	}
	return true
}

func applied(st *standing, from From) bool {
	return st.side != nil && cmp.Or(st.side.From, "saved") == from.String()
}

func eventTime(st *standing) string {
	if st.side == nil {
		return ""
	}
	return st.side.EventTime
}

// coldStart begins where no partition has a cursor.
func (s *PartitionSet) coldStart(ctx context.Context, stands []standing) (event.Resume, error) {
	if !s.config.From.Requested {
		cursor, err := s.parts[0].peek(ctx, s.config.CursorKey)
		if err == nil && cursor != "" {
			err = otherCount(s.config.CursorKey, cursor, 1, len(s.parts))
		}
		if err != nil {
			return event.Resume{}, err
		}
	}
	var at event.Resume
	for i, p := range s.parts {
		at = p.coldStartAt(&stands[i])
	}
	s.opened = false
	at.Why = fmt.Sprintf("no saved cursor in %s to {%d}: starting %s", keyspace.Partition(s.config.CursorKey, 0), len(s.parts)-1, at.Position)
	return at, nil
}

// seen reports whether this process has seen cursors: if all are gone, they
// vanished. known is what the first partition's Writer knows.
func (s *PartitionSet) seen(known knownCursor) bool {
	return s.opened || known.followed && known.acked > 0
}

// left reports whether side keys tell of cursors that all have vanished, and this
// start was not asked to begin elsewhere.
func (s *PartitionSet) left(stands []standing) bool {
	any := false
	for i, p := range s.parts {
		if stands[i].side == nil {
			continue
		}
		if p.asksStill(stands[i].side) {
			return false
		}
		any = any || stands[i].side.OwnKnown
	}
	return any
}

// lowestLeft is the lowest cursor that a side key tells of.
func lowestLeft(stands []standing) (lowest event.Seq) {
	found := false
	for i := range stands {
		if side := stands[i].side; side != nil && side.OwnKnown && (!found || side.Own < lowest) {
			lowest, found = side.Own, true
		}
	}
	return lowest
}

// inOrder tells of cursors that had to be restored, and looks whether the streams
// are as the last writer left them. Asked again, it finds everything in its place.
func (s *PartitionSet) inOrder(ctx context.Context, stands []standing) (err error) {
	for i := range stands {
		if stands[i].told != nil && err == nil {
			err = inPartition(i, stands[i].told)
		}
	}
	for i, p := range s.parts {
		led, wrong := p.inOrderUnderSet(ctx)
		switch moved, ok := asMoved(wrong); {
		case led: // the leader's to find, and ours once we lead
			return err
		case ok && err == nil:
			err = inPartition(i, moved)
		case !ok && wrong != nil:
			return fmt.Errorf("partition %d: %w", i, wrong)
		}
	}
	return err
}

// inOrderUnderSet is Writer.inOrder of one partition; led is set when another writer leads
// the set.
func (w *Writer) inOrderUnderSet(ctx context.Context) (led bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, err := w.find(ctx)
	if err != nil || f.led() || !f.Present || f.side == nil {
		return err == nil && f.led(), err
	}
	return false, w.removed(ctx, f)
}

func inPartition(i int, m *event.Moved) *event.Moved {
	return &event.Moved{To: m.To, Alarm: m.Alarm, Detail: fmt.Sprintf("partition %d: %s", i, m.Detail)}
}

// restored gives partitions without a cursor one, and reads them. known is what the
// first partition's Writer knew when stands were read.
func (s *PartitionSet) restored(ctx context.Context, stands []standing, known knownCursor) ([]standing, error) {
	lowest, epoch := max(s.at, known.acked), known.epoch
	switch {
	case anyPresent(stands):
		lowest, epoch = lowestOf(stands), 0
	case !s.seen(known):
		lowest = lowestLeft(stands)
	}
	young := true // nothing was ever stored
	for i := range stands {
		epoch = max(epoch, stands[i].epoch())
		young = young && (stands[i].side == nil || stands[i].side.Stored == 0)
	}
	for i, p := range s.parts {
		if stands[i].present {
			continue
		}
		told, err := p.restoreBeside(ctx, lowest, epoch, young)
		if err == nil {
			stands[i], err = p.look(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
		stands[i].restored, stands[i].told = true, told
	}
	return stands, nil
}

// restoreBeside restores the cursor that is missing beside others: to what this
// Writer remembers, else to the lowest of the others. There is nothing to tell where
// the set is young: a cold start was cut short.
func (w *Writer) restoreBeside(ctx context.Context, lowest event.Seq, epoch int64, young bool) (*event.Moved, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	young = young && !w.floor.known
	if young {
		w.floor = floor{known: true, seq: lowest}
	}
	if w.acked == 0 {
		w.acked, w.epoch = lowest, epoch
	}
	err := w.restore(ctx, w.acked.String(), "")
	moved, ok := asMoved(err)
	if !ok {
		return nil, err
	}
	w.config.Logger.Warn("A partition had no cursor; it is never live while others are saved", "at", moved.To.String(), "detail", moved.Detail)
	if young {
		return nil, nil
	}
	return moved, nil
}

// begin carries out a request to start elsewhere that not every partition has
// applied yet. Where some have, a crash came between: the rest follow them.
func (s *PartitionSet) begin(ctx context.Context, stands []standing) (event.Resume, error) {
	from, was := s.config.From, lowestOf(stands)
	to, crashed := from.At.Seq, false
	for i, p := range s.parts {
		p.adoptState(&stands[i])
		if applied(&stands[i], from) && from.At.Start == event.Live {
			to, crashed = stands[i].cursor, true // nothing was stored before all had left
		}
	}
	if from.At.Start == event.Live && !crashed {
		for _, p := range s.parts {
			p.jump()
		}
		s.opened = false
		return event.Resume{Why: fmt.Sprintf("live, as requested; leaving the saved cursors, the lowest %s, with the first event stored", was)}, nil
	}
	for i, p := range s.parts {
		if applied(&stands[i], from) {
			continue
		}
		if err := p.Rebase(ctx, to); err != nil {
			return event.Resume{}, fmt.Errorf("partition %d: %w", i, err)
		}
	}
	stands, err := s.look(ctx)
	if err != nil {
		return event.Resume{}, err
	}
	s.adopt(stands)
	return event.Resume{Position: after(s.at), Why: fmt.Sprintf("from %s, as requested; the lowest saved cursor was %s", from, was)}, nil
}

// lowestOf is the lowest of the cursors that are there.
func lowestOf(stands []standing) (lowest event.Seq) {
	found := false
	for i := range stands {
		if st := &stands[i]; st.present && (!found || st.cursor < lowest) {
			lowest, found = st.cursor, true
		}
	}
	return lowest
}

// adopt continues from what is stored and gives the partition that is lowest.
func (s *PartitionSet) adopt(stands []standing) (lowest int) {
	for i, p := range s.parts {
		p.adoptState(&stands[i])
		p.from = stands[i].cursor
		if stands[i].cursor < stands[lowest].cursor {
			lowest = i
		}
	}
	s.at, s.opened = stands[lowest].cursor, true
	return lowest
}

func (s *PartitionSet) why(stands []standing, lowest int) string {
	highest := 0
	for i := range stands {
		if stands[i].cursor > stands[highest].cursor {
			highest = i
		}
	}
	why := fmt.Sprintf("saved cursors in %s to {%d}", keyspace.Partition(s.config.CursorKey, 0), len(s.parts)-1)
	if stands[highest].cursor == stands[lowest].cursor {
		return why + ", all equal"
	}
	return fmt.Sprintf("%s: the lowest, of partition %d; partition %d is at %s, and each drops what it has",
		why, lowest, highest, stands[highest].cursor)
}

// moved refuses cursors that were not moved together: reading from the lowest,
// the others would drop events that they do not have.
func (s *PartitionSet) moved(stands []standing) error {
	lowest := lowestOf(stands)
	for i := range stands {
		st, first := &stands[i], &stands[0]
		alone := !st.restored && st.cursor > lowest && (st.side == nil || st.cursor > event.Seq(st.side.Upto))
		if !alone && st.epoch() == first.epoch() {
			continue
		}
		return fault.New(fault.Cursor, fmt.Errorf("the cursors of the partitions were moved one by one: {0} is at %s (moved %d times), {%d} at %s (moved %d times); nothing was changed",
			first.cursor, first.epoch(), i, st.cursor, st.epoch()),
			fmt.Sprintf("move all of them: fhctl cursor set --partitions %d SEQ; the lowest, %s, loses nothing", len(stands), lowest))
	}
	return nil
}

// realign reads all cursors again after one of them was not where it should be,
// and asks for reading from the lowest. An operator's move goes from partition to
// partition: it is waited for.
func (s *PartitionSet) realign(ctx context.Context, because *event.Moved) error {
	for started := time.Now(); ; {
		stands, err := s.look(ctx)
		if err != nil {
			return err
		}
		if stands, err = s.restored(ctx, stands, s.parts[0].knows()); err != nil {
			return err
		}
		if stands, err = s.returned(ctx, stands); err != nil {
			return err
		}
		if sameEpoch(stands) {
			s.adopt(stands)
			return &event.Moved{To: after(s.at), Alarm: because.Alarm, Detail: because.Detail}
		}
		if time.Since(started) > interruptedFor {
			return s.moved(stands)
		}
		if because.Alarm == event.AlarmCursorMissing {
			if err := s.level(ctx, stands); err != nil {
				return err
			}
			continue
		}
		if err := wait.For(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// level raises the epochs of the others to that of the partition that put its own
// cursor back, as if all had been moved, each to where it is.
func (s *PartitionSet) level(ctx context.Context, stands []standing) error {
	highest := int64(0)
	for i := range stands {
		highest = max(highest, stands[i].epoch())
	}
	for i, p := range s.parts {
		p.adoptState(&stands[i])
		if stands[i].epoch() == highest {
			continue
		}
		if err := p.Rebase(ctx, stands[i].cursor); err != nil {
			return fmt.Errorf("partition %d: %w", i, err)
		}
	}
	return nil
}

func sameEpoch(stands []standing) bool {
	for i := range stands {
		if !stands[i].present || stands[i].epoch() != stands[0].epoch() {
			return false
		}
	}
	return true
}

// Rebase moves all cursors to seq because an operator allowed a new numbering to
// be followed. An error may leave some moved, which Resume refuses.
func (s *PartitionSet) Rebase(ctx context.Context, to event.Seq) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.parts {
		if err := p.Rebase(ctx, to); err != nil {
			return fmt.Errorf("partition %d: %w", i, err)
		}
		p.from = to
	}
	s.at = to
	return nil
}
