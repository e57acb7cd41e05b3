package cursor

import (
	"context"
	"errors"
	"fmt"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/text"
)

// aim sets the plan's target and owner.
func (o *cursorSet) aim(ctx context.Context, r *reader.Reader, p *cursorPlan) (err error) {
	switch {
	case o.undo:
		return o.aimBack(ctx, r, p)
	case o.fromKey != "":
		return o.aimAtKey(ctx, r, p)
	case o.fromPartitions > 0:
		return o.aimAtPartitions(ctx, p)
	}
	known := p.seen.Relay()
	if p.owner, err = o.ownerOf(p.seen, p.seen, r.CursorKey()); err != nil {
		return err
	}
	if o.place.Measured() && known != "" && p.owner.Relay != known {
		return shell.UsageError(fmt.Errorf("a time is answered from the stored events, which are %s's, not %s's", known, p.owner.Relay), "give a seq, oldest or live")
	}
	p.target, err = findCursor(ctx, r, o.place, o.now)
	// To take a bridge's cursor as it is only says whose it is.
	p.adopt = err == nil && p.seen.Present && !p.seen.SidePresent && !p.target.remove && p.target.to == p.seen.Seq
	return err
}

// aimAtKey takes another key's cursor, and the relay that is told beside it.
func (o *cursorSet) aimAtKey(ctx context.Context, r *reader.Reader, p *cursorPlan) error {
	from, err := r.CursorAt(ctx, o.fromKey)
	if err != nil {
		return err
	}
	if err := cursorUnusable(o.fromKey, from); err != nil {
		return fault.New(fault.Cursor, err, "look at the key with: redis-cli GET "+o.fromKey)
	}
	p.target = cursorTarget{to: from.Seq, found: fmt.Sprintf("the value of %s, which is %s's", o.fromKey, from.Relay())}
	p.owner, err = o.ownerOf(from, p.seen, o.fromKey)
	p.adopt = !from.SidePresent && p.owner.Relay == script.BridgeRelay
	return err
}

// aimAtPartitions takes what the same keys hold as another number of partitions.
// Cursors that differ have no value that loses nothing and repeats nothing.
func (o *cursorSet) aimAtPartitions(ctx context.Context, p *cursorPlan) error {
	former, err := settings.OpenReaderOf(ctx, o.Log, o.cfg, o.fromPartitions, false)
	if err != nil {
		return err
	}
	defer func() { _ = former.Close() }()
	all, err := former.Cursors(ctx)
	if err != nil {
		return err
	}
	for i, c := range all {
		if err := cursorUnusable(former.Partitions()[i].CursorKey(), c); err != nil {
			return err
		}
		if c.Seq != all[0].Seq || c.Side.Epoch != all[0].Side.Epoch {
			return fault.New(fault.Conflict, fmt.Errorf("the cursors of the %d partitions are not equal: {0} is at %s, {%d} at %s; nothing was changed", len(all), all[0].Seq, i, c.Seq),
				fmt.Sprintf("start fhctl ingest --partitions %d once more and stop it with SIGTERM: a clean stop leaves them equal", len(all)))
		}
	}
	if err := notTakenOver(ctx, former, all[0]); err != nil {
		return err
	}
	p.target = cursorTarget{to: all[0].Seq, found: fmt.Sprintf("where %s stands, with %d partitions", former.CursorKey(), len(all))}
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
		"take the cursor over with one stream first: start fhctl ingest without --partitions, stop it once it is ready, and repeat this")
}

// aimBack takes back the newest change that was not taken back. Of a set it goes
// back to the lowest of what the partitions had then.
func (o *cursorSet) aimBack(ctx context.Context, r *reader.Reader, p *cursorPlan) error {
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
		if p.undoes != "" && (c.Before == "" || !p.target.remove && seq >= p.target.to) {
			continue
		}
		p.undoes = c.ID
		p.target = cursorTarget{to: seq, remove: c.Before == "", found: fmt.Sprintf("what it was before %q of %s", c.How, text.Time(c.ID.Time()))}
		p.owner = c.Owner
		if !c.OwnerKnown {
			p.owner = script.Side{Relay: script.BridgeRelay, Filter: o.fingerprint()}
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
		err = fault.New(fault.Cursor, fmt.Errorf("%s holds no change that could be undone", admin.HistoryKey(r)), "look with fhctl cursor history")
	}
	return admin.Change{}, err
}

// ownerOf decides whose cursor it becomes: --relay's, or the one whose it is,
// which must not contradict a relay that was configured. of is the cursor
// whose value is taken, held the one that is there.
func (o *cursorSet) ownerOf(of, held reader.CursorState, key string) (script.Side, error) {
	side := of.Side
	if !of.SidePresent || of.SideBroken {
		side = script.Side{Filter: o.fingerprint(), From: held.Side.From}
	}
	configured, err := endpoint.RelayIdentity(o.cfg.Relay.URL)
	if err != nil {
		return side, o.cfg.Refuse("relay-url", err)
	}
	known := of.Relay()
	switch {
	case o.relay != "":
		side.Relay, err = endpoint.RelayIdentity(o.relay)
		if o.filtered() {
			side.Filter = o.fingerprint()
		}
		return side, err
	case o.place.Kind == place.Live:
		return side, nil
	case known == "":
		side.Relay = configured
		return side, nil
	case known != configured && o.cfg.Origin("relay-url").Layer != config.LayerDefault:
		return side, fault.New(fault.Cursor, fmt.Errorf("cursor %s counts the events of %s, and these settings read %s, where a seq means something else; nothing was changed", key, known, configured),
			fmt.Sprintf("add --relay %s if the value is a place in that relay's stream, or --relay %s to leave it with the relay it is of", configured, known))
	}
	side.Relay = known
	return side, nil
}

func (o *cursorSet) filtered() bool {
	in := o.cfg.Ingest
	return len(in.Collections)+len(in.DIDs)+len(in.Kinds) > 0
}

// fingerprint is of the filters that are configured.
func (o *cursorSet) fingerprint() string {
	keep, err := filter.New(filter.Config{Collections: o.cfg.Ingest.Collections, DIDs: o.cfg.Ingest.DIDs, Kinds: o.cfg.Ingest.Kinds})
	if err != nil {
		return "" // settings were checked when they were loaded
	}
	return keep.Fingerprint()
}
