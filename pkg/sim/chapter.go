package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/mst"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// chapter plays one chapter of the series, event by event. The same calls of
// random happen whether or not frames are made, so that passing over events
// leads to the same place.
type chapter struct {
	*series
	history *mst.Tree
	number  int64
	next    int64 // the event that comes next
	end     int64
	random  *rand.Rand
	cast    []account
	births  births
	away    []int // accounts that are not active
	liked   [recent]ref
	serials [recent]uint32 // which of its posts each place holds, from 1
	posted  int
}

// recent is how many posts are remembered for likes and replies.
const recent = 128

// births is the newcomers among the cast: the last few, who arrive at even
// distances with four events each (E7).
type births struct {
	first int // the cast's number of the next newcomer
	every int64
	step  int
}

// A newcomer per so many accounts.
const newcomers = 20

func (s *series) open(number int64, history *mst.Tree) *chapter {
	c := &chapter{series: s, history: history, number: number, next: number * s.length, end: (number + 1) * s.length}
	c.random = rand.New(rand.NewPCG(s.seed, uint64(number)+1))
	c.cast = make([]account, s.accounts)
	for n := range c.cast {
		c.cast[n] = s.newAccount(number, n)
	}
	fresh := s.accounts / newcomers
	c.births = births{first: s.accounts - fresh, every: s.length / int64(fresh+1)}
	for i := range c.liked {
		by := c.cast[c.random.IntN(c.births.first)].did
		path := posts + "/" + tid(s.time(c.next).Add(-time.Duration(i)*time.Minute), i)
		c.serials[i] = 1
		c.liked[i] = ref{URI: "at://" + by + "/" + path, CID: syntax.CIDText(syntax.SumCID(syntax.CodecDAGCBOR, []byte(by+path)))}
	}
	return c
}

// step plays the next event. The frame is nil unless wanted.
func (c *chapter) step(wanted bool) (data []byte, err error) {
	i := c.next
	c.next++
	seq, when := c.seq(i), c.time(i)
	if n, ok := c.arriving(i); ok {
		return c.birth(n, seq, when, wanted)
	}
	const (
		of         = 10_000
		identities = 60
		accounts   = identities + 45
		syncs      = accounts + 30
	)
	switch draw := c.random.IntN(of); {
	case draw < identities:
		return c.identity(c.someone(), seq, when, wanted)
	case draw < accounts:
		return c.status(seq, when, wanted)
	case draw < syncs:
		return c.sync(c.someone(), seq, when, wanted)
	}
	return c.write(c.someone(), seq, when, wanted)
}

// arriving is the newcomer whose moment event i is.
func (c *chapter) arriving(i int64) (n int, ok bool) {
	b := &c.births
	passed := int64(b.first - (len(c.cast) - len(c.cast)/newcomers))
	return b.first, b.first < len(c.cast) && i-c.number*c.length >= (passed+1)*b.every
}

// birth plays the four first events of a newcomer in turn (E7).
func (c *chapter) birth(n int, seq event.Seq, when time.Time, wanted bool) ([]byte, error) {
	a := &c.cast[n]
	c.births.step++
	switch c.births.step {
	case 1:
		a.enter(nil, tid(when, revClock))
		return made(wanted, &event.Event{Kind: event.KindIdentity, Seq: seq, Identity: event.Identity{Handle: []byte(a.handle)}}, a, when)
	case 2:
		return made(wanted, &event.Event{Kind: event.KindAccount, Seq: seq, Account: event.Account{Active: true}}, a, when)
	case 3:
		return c.sync(a, seq, when, wanted)
	}
	c.births.step = 0
	c.births.first++
	return c.commit(a, seq, when, wanted, func(w *commit) { c.writeProfile(w) })
}

// made is the event's frame, if it is wanted.
func made(wanted bool, ev *event.Event, by *account, when time.Time) ([]byte, error) {
	if !wanted {
		return nil, nil
	}
	ev.DID, ev.Time = []byte(by.did), []byte(stamp(when))
	return frame.Append(nil, ev)
}

// someone is an active account that is there already. A few are much more
// active than the rest.
func (c *chapter) someone() *account {
	n := c.random.IntN(c.births.first)
	if c.random.IntN(2) == 0 {
		n = c.random.IntN(n + 1)
	}
	for !c.cast[n].active {
		n = (n + 1) % c.births.first
	}
	if a := &c.cast[n]; a.tree == nil {
		a.enter(c.history, c.before(c.number, n))
	}
	return &c.cast[n]
}

func (c *chapter) identity(a *account, seq event.Seq, when time.Time, wanted bool) ([]byte, error) {
	id := event.Identity{Handle: []byte(a.handle)}
	switch c.random.IntN(6) {
	case 0, 1:
		id.Handle = nil
	case 2:
		id.Handle = []byte("handle.invalid")
	}
	return made(wanted, &event.Event{Kind: event.KindIdentity, Seq: seq, Identity: id}, a, when)
}

// inactive and impaired are the statuses of protocol rule E3; the latter do
// not stop an account.
var (
	inactive = []string{"deactivated", "takendown", "suspended", "deleted"}
	impaired = []string{"throttled", "desynchronized"}
)

// status plays an #account: somebody leaves, comes back, or is impaired. Who
// is away sends nothing (V9), and few are.
func (c *chapter) status(seq event.Seq, when time.Time, wanted bool) ([]byte, error) {
	draw := c.random.IntN(10)
	ev := &event.Event{Kind: event.KindAccount, Seq: seq, Account: event.Account{Active: true}}
	var a *account
	switch {
	case draw == 0:
		a = c.someone()
		ev.Account.Status = []byte(impaired[c.random.IntN(len(impaired))])
	case len(c.away) > 0 && (draw < 6 || len(c.away)*newcomers >= c.births.first):
		a = &c.cast[c.away[0]]
		c.away = c.away[1:]
		a.active = true
	case len(c.away)*newcomers < c.births.first && c.births.first > 1:
		a = c.someone()
		a.active = false
		for n := range c.cast {
			if &c.cast[n] == a {
				c.away = append(c.away, n)
			}
		}
		ev.Account = event.Account{Status: []byte(inactive[c.random.IntN(len(inactive))])}
	default:
		a = c.someone()
	}
	return made(wanted, ev, a, when)
}

// sync plays a #sync that says what the last commit said (V8).
func (c *chapter) sync(a *account, seq event.Seq, when time.Time, wanted bool) ([]byte, error) {
	if !wanted {
		return nil, nil
	}
	cid, block, err := a.commitBlock(c.series)
	if err != nil {
		return nil, err
	}
	car := blocks.Write(cid, []blocks.Block{{CID: cid, Data: block}})
	return made(true, &event.Event{Kind: event.KindSync, Seq: seq, Sync: event.Sync{Rev: []byte(a.rev), Blocks: car}}, a, when)
}

// commit plays a commit of the ops that write makes.
func (c *chapter) commit(a *account, seq event.Seq, when time.Time, wanted bool, write func(*commit)) ([]byte, error) {
	w, err := begin(a, when, wanted)
	if err != nil {
		return nil, err
	}
	write(w)
	if !wanted {
		return nil, w.close()
	}
	data, err := w.frame(c.series, seq)
	if err != nil {
		return nil, fmt.Errorf("make event of seq %d: %w", seq, err)
	}
	return data, nil
}
