package partitions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/wait"
)

// Resume tells where reading should begin and why: at the lowest cursor. It is
// never live for one partition and saved for another: a cursor that is missing
// beside others is restored to the newest entry of its stream or, where that is
// empty, to the lowest of the others.
//
// Cursors that were moved one by one, as an interrupted move by an operator leaves
// them, are a fault.Cursor, and so are those of another number of partitions.
func (s *Set) Resume(ctx context.Context) (event.Resume, error) {
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
	known := s.parts[0].Known()
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
	if from := s.config.From; s.config.Requested && !s.parts[0].Known().AnotherHasLed && !allApplied(stands, from) {
		return s.begin(ctx, stands)
	}
	if err := s.moved(stands); err != nil {
		return event.Resume{}, err
	}
	lowest := s.adopt(stands)
	s.remember(ctx)
	at := event.Resume{Position: event.Behind(s.at), Time: eventTime(&stands[lowest])}
	at.Why = s.why(stands, lowest)
	return at, nil
}

// remember learns what no group has acknowledged in any partition: what vanishes
// before the first batch must be known too.
func (s *Set) remember(ctx context.Context) {
	s.each(ctx, func(ctx context.Context, p *partition) error {
		p.Remember(ctx)
		return nil
	})
}

func anyPresent(stands []Standing) bool {
	for i := range stands {
		if stands[i].Present {
			return true
		}
	}
	return false
}

func allApplied(stands []Standing, from event.Position) bool {
	for i := range stands {
		if !applied(&stands[i], from) {
			return false
		}
	}
	return true
}

func applied(st *Standing, from event.Position) bool {
	return st.Side != nil && cmp.Or(st.Side.From, "saved") == from.String()
}

func eventTime(st *Standing) string {
	if st.Side == nil {
		return ""
	}
	return st.Side.EventTime
}

// coldStart begins where no partition has a cursor.
func (s *Set) coldStart(ctx context.Context, stands []Standing) (event.Resume, error) {
	if !s.config.Requested {
		if err := s.config.Beside(ctx); err != nil {
			return event.Resume{}, err
		}
	}
	var at event.Resume
	for i, p := range s.parts {
		at = p.ColdStart(&stands[i])
	}
	s.opened = false
	at.Why = fmt.Sprintf("no saved cursor in %s to {%d}: starting %s", keyspace.Partition(s.config.CursorKey, 0), len(s.parts)-1, at.Position)
	return at, nil
}

// seen reports whether this process has seen cursors: if all are gone, they
// vanished. known is what the first partition knows.
func (s *Set) seen(known Known) bool {
	return s.opened || known.Followed && known.Cursor > 0
}

// left reports whether side keys tell of cursors that all have vanished, and this
// start was not asked to begin elsewhere.
func (s *Set) left(stands []Standing) bool {
	any := false
	for i, p := range s.parts {
		if stands[i].Side == nil {
			continue
		}
		if s.config.Requested && !p.Known().AnotherHasLed && !applied(&stands[i], s.config.From) {
			return false
		}
		any = any || stands[i].Side.OwnKnown
	}
	return any
}

// lowestLeft is the lowest cursor that a side key tells of.
func lowestLeft(stands []Standing) (lowest event.Seq) {
	found := false
	for i := range stands {
		if side := stands[i].Side; side != nil && side.OwnKnown && (!found || side.Own < lowest) {
			lowest, found = side.Own, true
		}
	}
	return lowest
}

// inOrder tells of cursors that had to be restored, and looks whether the streams
// are as the last writer left them. Asked again, it finds everything in its place.
// The first trouble is the error, each other one an alarm.
func (s *Set) inOrder(ctx context.Context, stands []Standing) (err error) {
	tell := func(i int, m *event.Moved) {
		if m = inPartition(i, m); err == nil {
			err = m
			return
		}
		s.alarm(m)
	}
	for i := range stands {
		if stands[i].Told != nil {
			tell(i, stands[i].Told)
		}
	}
	for i, p := range s.parts {
		led, wrong := p.InOrder(ctx)
		switch moved, ok := errors.AsType[*event.Moved](wrong); {
		case led: // the leader's to find, and ours once we lead
			return err
		case ok:
			tell(i, moved)
		case wrong != nil:
			return fmt.Errorf("partition %d: %w", i, wrong)
		}
	}
	return err
}

func inPartition(i int, m *event.Moved) *event.Moved {
	return &event.Moved{To: m.To, Alarm: m.Alarm, Detail: fmt.Sprintf("partition %d: %s", i, m.Detail)}
}

// restored gives partitions without a cursor one, and reads them. known is what the
// first partition knew when stands were read.
func (s *Set) restored(ctx context.Context, stands []Standing, known Known) ([]Standing, error) {
	lowest, epoch := max(s.at, known.Cursor), known.Epoch
	switch {
	case anyPresent(stands):
		lowest, epoch = lowestOf(stands), 0
	case !s.seen(known):
		lowest = lowestLeft(stands)
	}
	young := true // nothing was ever stored
	for i := range stands {
		epoch = max(epoch, stands[i].Epoch())
		young = young && (stands[i].Side == nil || stands[i].Side.Stored == 0)
	}
	for i, p := range s.parts {
		if stands[i].Present {
			continue
		}
		told, err := p.Restore(ctx, lowest, epoch, young)
		if err == nil {
			stands[i], err = p.Look(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
		stands[i].Restored, stands[i].Told = true, told
	}
	return stands, nil
}

// begin carries out a request to start elsewhere that not every partition has
// applied yet. Where some have, a crash came between: the rest follow them.
func (s *Set) begin(ctx context.Context, stands []Standing) (event.Resume, error) {
	from, was := s.config.From, lowestOf(stands)
	to, crashed := from.Seq, false
	for i, p := range s.parts {
		p.Adopt(&stands[i])
		if applied(&stands[i], from) && from.Start == event.Live {
			to, crashed = stands[i].Cursor, true // nothing was stored before all had left
		}
	}
	if from.Start == event.Live && !crashed {
		for _, p := range s.parts {
			p.Jump()
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
	return event.Resume{Position: event.Behind(s.at), Why: fmt.Sprintf("from %s, as requested; the lowest saved cursor was %s", from, was)}, nil
}

// lowestOf is the lowest of the cursors that are there.
func lowestOf(stands []Standing) (lowest event.Seq) {
	found := false
	for i := range stands {
		if st := &stands[i]; st.Present && (!found || st.Cursor < lowest) {
			lowest, found = st.Cursor, true
		}
	}
	return lowest
}

// adopt continues from what is stored and gives the partition that is lowest.
func (s *Set) adopt(stands []Standing) (lowest int) {
	for i, p := range s.parts {
		p.Adopt(&stands[i])
		p.from = stands[i].Cursor
		if stands[i].Cursor < stands[lowest].Cursor {
			lowest = i
		}
	}
	s.at, s.opened = stands[lowest].Cursor, true
	return lowest
}

func (s *Set) why(stands []Standing, lowest int) string {
	highest := 0
	for i := range stands {
		if stands[i].Cursor > stands[highest].Cursor {
			highest = i
		}
	}
	why := fmt.Sprintf("saved cursors in %s to {%d}", keyspace.Partition(s.config.CursorKey, 0), len(s.parts)-1)
	if stands[highest].Cursor == stands[lowest].Cursor {
		return why + ", all equal"
	}
	return fmt.Sprintf("%s: the lowest, of partition %d; partition %d is at %s, and each drops what it has",
		why, lowest, highest, stands[highest].Cursor)
}

// moved refuses cursors that were not moved together: reading from the lowest,
// the others would drop events that they do not have.
func (s *Set) moved(stands []Standing) error {
	lowest := lowestOf(stands)
	for i := range stands {
		st, first := &stands[i], &stands[0]
		alone := !st.Restored && st.Cursor > lowest && (st.Side == nil || st.Cursor > event.Seq(st.Side.Upto))
		if !alone && st.Epoch() == first.Epoch() {
			continue
		}
		return fault.New(fault.Cursor, fmt.Errorf("the cursors of the partitions were moved one by one: {0} is at %s (moved %d times), {%d} at %s (moved %d times); nothing was changed",
			first.Cursor, first.Epoch(), i, st.Cursor, st.Epoch()),
			"move all of them: "+fault.Remedy{Do: fault.MoveCursor, Value: "SEQ"}.With("partitions", strconv.Itoa(len(stands)))+"; the lowest, "+lowest.String()+", loses nothing")
	}
	return nil
}

// realign reads all cursors again after one of them was not where it should be,
// and asks for reading from the lowest. An operator's move goes from partition to
// partition: it is waited for.
func (s *Set) realign(ctx context.Context, because *event.Moved) error {
	for started := time.Now(); ; {
		stands, err := s.look(ctx)
		if err != nil {
			return err
		}
		if stands, err = s.restored(ctx, stands, s.parts[0].Known()); err != nil {
			return err
		}
		if stands, err = s.returned(ctx, stands); err != nil {
			return err
		}
		if sameEpoch(stands) {
			s.adopt(stands)
			return &event.Moved{To: event.Behind(s.at), Alarm: because.Alarm, Detail: because.Detail}
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
func (s *Set) level(ctx context.Context, stands []Standing) error {
	highest := int64(0)
	for i := range stands {
		highest = max(highest, stands[i].Epoch())
	}
	for i, p := range s.parts {
		p.Adopt(&stands[i])
		if stands[i].Epoch() == highest {
			continue
		}
		if err := p.Rebase(ctx, stands[i].Cursor); err != nil {
			return fmt.Errorf("partition %d: %w", i, err)
		}
	}
	return nil
}

func sameEpoch(stands []Standing) bool {
	for i := range stands {
		if !stands[i].Present || stands[i].Epoch() != stands[0].Epoch() {
			return false
		}
	}
	return true
}

// Rebase moves all cursors to seq because an operator allowed a new numbering to
// be followed. An error may leave some moved, which Resume refuses.
func (s *Set) Rebase(ctx context.Context, to event.Seq) error {
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
