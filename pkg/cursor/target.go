package cursor

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/text"
)

// aim sets the plan's target and owner.
func (o *Options) aim(ctx context.Context, r *reader.Reader, p *Plan) (err error) {
	switch {
	case o.Undo:
		return o.aimBack(ctx, r, p)
	case o.FromKey != "":
		return o.aimAtKey(ctx, r, p)
	case o.Former != nil:
		return o.aimAtPartitions(ctx, p)
	}
	known := p.seen.Relay()
	if p.owner, err = o.ownerOf(p.seen, p.seen, r.CursorKey()); err != nil {
		return err
	}
	if o.Place.Measured() && known != "" && p.owner.Relay != known {
		return fault.New(fault.Usage, fmt.Errorf("a time is answered from the stored events, which are %s's, not %s's", known, p.owner.Relay), "give a seq, oldest or live")
	}
	p.target, err = find(ctx, r, o.Place, o.Now)
	// To take a bridge's cursor as it is only says whose it is.
	p.adopt = err == nil && p.seen.Present && !p.seen.SidePresent && !p.target.remove && p.target.to == p.seen.Seq
	return err
}

// aimAtKey takes another key's cursor, and the relay that is told beside it.
func (o *Options) aimAtKey(ctx context.Context, r *reader.Reader, p *Plan) error {
	from, err := r.CursorAt(ctx, o.FromKey)
	if err != nil {
		return err
	}
	if err := Unusable(o.FromKey, from); err != nil {
		return fault.New(fault.Cursor, err, "look at the key with: redis-cli GET "+o.FromKey)
	}
	p.target = target{to: from.Seq, found: fmt.Sprintf("the value of %s, which is %s's", o.FromKey, from.Relay())}
	p.owner, err = o.ownerOf(from, p.seen, o.FromKey)
	p.adopt = !from.SidePresent && p.owner.Relay == script.BridgeRelay
	return err
}

// aimAtPartitions takes what the same keys hold as another number of partitions.
// Cursors that differ have no value that loses nothing and repeats nothing.
func (o *Options) aimAtPartitions(ctx context.Context, p *Plan) error {
	former := o.Former
	all, err := former.Cursors(ctx)
	if err != nil {
		return err
	}
	for i, c := range all {
		if err := Unusable(former.Partitions()[i].CursorKey(), c); err != nil {
			return err
		}
		if c.Seq != all[0].Seq || c.Side.Epoch != all[0].Side.Epoch {
			return fault.New(fault.Conflict, fmt.Errorf("the cursors of the %d partitions are not equal: {0} is at %s, {%d} at %s; nothing was changed", len(all), all[0].Seq, i, c.Seq),
				"start "+ingest.With("partitions", strconv.Itoa(len(all)))+" once more and stop it with SIGTERM: a clean stop leaves them equal")
		}
	}
	if err := notTakenOver(ctx, former, all[0]); err != nil {
		return err
	}
	p.target = target{to: all[0].Seq, found: fmt.Sprintf("where %s stands, with %d partitions", former.CursorKey(), len(all))}
	p.owner, err = o.ownerOf(all[0], p.seen, former.CursorKey())
	return err
}

// notTakenOver refuses a stream whose entries go beyond its cursor because the Python
// bridge wrote them: what they hold would be stored again, in other streams.
func notTakenOver(ctx context.Context, r *reader.Reader, c reader.CursorState) error {
	if c.SidePresent && c.Side.OthersTo <= int64(c.Seq) {
		return nil
	}
	b, err := r.Bounds(ctx)
	if errors.Is(err, reader.ErrNoStream) {
		return nil
	}
	last, ok := b.Last.Seq()
	if err != nil || !ok || last <= c.Seq {
		return err
	}
	return fault.New(fault.Conflict, fmt.Errorf("the Python bridge stored events beyond its cursor %s, up to %s: they would be stored again in the partitions; nothing was changed", c.Seq, last),
		"take the cursor over with one stream first: start "+ingest.String()+" without "+fault.To("partitions", "")+", stop it once it is ready, and repeat this")
}

// aimBack takes back the newest change that was not taken back. Of a set it goes
// back to the lowest of what the partitions had then.
func (o *Options) aimBack(ctx context.Context, r *reader.Reader, p *Plan) error {
	p.undoesEach = []reader.ID{}
	for _, part := range r.Partitions() {
		c, err := newestChange(ctx, part)
		if err != nil {
			return err
		}
		p.undoesEach = append(p.undoesEach, c.ID)
		seq, ok := event.ParseSeq(c.Before)
		if c.Before != "" && !ok {
			return fault.New(fault.Cursor, fmt.Errorf("before the change of %s the cursor held %.32q, which is not a seq", text.Time(c.ID.Time()), c.Before), place.Hint)
		}
		if p.Undoes != "" && (c.Before == "" || !p.target.remove && seq >= p.target.to) {
			continue
		}
		p.Undoes = c.ID
		p.target = target{to: seq, remove: c.Before == "", found: fmt.Sprintf("what it was before %q of %s", c.How, text.Time(c.ID.Time()))}
		p.owner = c.Owner
		if !c.OwnerKnown {
			p.owner = script.Side{Relay: script.BridgeRelay, Filter: o.Filter}
			p.unowned = c.Before != "" && !p.seen.Status.Present && !r.IsSet()
		}
	}
	return nil
}

// newestChange is the newest change that was not taken back.
func newestChange(ctx context.Context, r *reader.Reader) (admin.Change, error) {
	changes, err := admin.History(ctx, r)
	for _, c := range changes {
		if !c.Undone && c.Undoes == "" {
			return c, nil
		}
	}
	if err == nil {
		err = fault.New(fault.Cursor, fmt.Errorf("%s holds no change that could be undone", admin.HistoryKey(r)), "look with "+fault.Remedy{Do: fault.ListMoves}.String())
	}
	return admin.Change{}, err
}

// ownerOf decides whose cursor it becomes: that of the relay asked for, or of the one
// whose it is, which must not contradict a relay that somebody chose. of is the cursor
// whose value is taken, held the one that is there.
func (o *Options) ownerOf(of, held reader.CursorState, key string) (script.Side, error) {
	side := of.Side
	if !of.SidePresent || of.SideBroken {
		side = script.Side{Filter: o.Filter, From: held.Side.From}
	}
	known := of.Relay()
	switch {
	case o.Relay != "":
		side.Relay = o.Relay
		if o.Filter != unfiltered {
			side.Filter = o.Filter
		}
		return side, nil
	case o.Place.Kind == place.Live:
		return side, nil
	case known == "":
		side.Relay = o.Configured
		return side, nil
	case known != o.Configured && o.Chosen:
		return side, fault.New(fault.Cursor, fmt.Errorf("cursor %s counts the events of %s, and these settings read %s, where a seq means something else; nothing was changed", key, known, o.Configured),
			fmt.Sprintf("add %s if the value is a place in that relay's stream, or %s to leave it with the relay it is of", fault.To("relay", o.Configured), fault.To("relay", known)))
	}
	side.Relay = known
	return side, nil
}

// unfiltered is the fingerprint of filters that keep everything.
const unfiltered = "none"

var ingest = fault.Remedy{Do: fault.Ingest}
