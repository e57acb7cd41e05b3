package endtest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// trouble is one kind of fault of the table in docs/faults.md.
type trouble struct {
	name   string
	strike func(w *world)
	// counted is the name under which it counts itself when it really
	// strikes; empty means its own.
	counted string
	// shows are what the program must have said of it, any one of them.
	shows []string
}

// troubles is every kind, once.
func troubles() []trouble {
	list := slices.Concat(relayTroubles(), dialTroubles(), serverErrors(), storeTroubles(), operatorTroubles(), processTroubles(), spillTroubles())
	for i := range list {
		if list[i].counted == "" {
			list[i].counted = list[i].name
		}
	}
	return list
}

// lasting are the kinds that would fill the run if they came back, and a leap, which
// is believed when it does.
var lasting = map[string]bool{"leap": true, "ahead": true, "stall": true, "mute": true, "endless": true, "slow": true}

func relayTroubles() (list []trouble) {
	for word, shows := range map[string][]string{
		"drop": {"link eof"}, "reset": {"link reset", "link eof"}, "cut": {"link eof"},
		"stall:12s": {"link idle"}, "mute:12s": {"link idle"}, "endless:12s": {"link idle"},
		"http:405": {"alarm relay_refuses", "exit, relay refuses"}, "slow:200ms": nil, "repeat:10": {"repeats"}, "regress:5": {"repeats"},
		"text": {"rejected text"}, "empty": {"rejected empty"}, "garbage:64": {"rejected cbor", "rejected framing"},
		"unknown": {"unknown"}, "info": {"alarm relay_window_exceeded"}, "error:ConsumerTooSlow": {"error frame"},
		"error:FutureCursor": {"alarm future_cursor"}, "close:1000": {"link closed_1000"}, "close:1008": {"link closed_1008"},
		"close:1012": {"link closed_1012"}, "oversize:70000": {"link oversize", "rejected oversize"},
		"leap": {"alarm seq_leap"}, "leap:1000000000": {"rejected seq_leap"}, "ahead:900": {"rejected seq_leap"}, "time:2262-04-11T23:47:16Z": nil, "time:0001-01-01T00:00:00Z": nil,
		"http:502": {"link http_5xx"}, "http:429/2": {"link http_429"},
	} {
		kind, arg, _ := strings.Cut(word, ":")
		list = append(list, trouble{name: "relay " + word, counted: "relay " + kind, shows: shows, strike: func(w *world) {
			if (kind == "leap" || kind == "ahead") && !w.mayLie() {
				return
			}
			f := relayserver.Fault{Kind: kind, Arg: arg, At: w.relay.Sent() + 1 + w.rng.Int64N(5)}
			if w.rng.IntN(3) == 0 && !lasting[kind] {
				f.Times = 1 + w.rng.IntN(4) // it comes back on the next connections
			}
			if err := w.relay.Inject(f); err != nil {
				panic(err)
			}
		}})
	}
	slices.SortFunc(list, func(a, b trouble) int { return strings.Compare(a.name, b.name) })
	return list
}

// dialTroubles are ways in which the relay cannot be reached; present
// connections end as well.
func dialTroubles() (list []trouble) {
	for _, how := range [][2]string{{"dns", "dial_dns"}, {"refused", "dial_refused"}, {"hangs", "dial_timeout"}, {"reset", "reset"}, {"endless", "handshake"}} {
		list = append(list, trouble{name: "dial " + how[0], shows: []string{"link " + how[1]}, strike: func(w *world) {
			w.mu.Lock()
			w.unwilling[how[0]] = time.Now().Add(w.upTo(8 * time.Second))
			w.mu.Unlock()
			w.relay.Disconnect(0)
		}})
	}
	return list
}

// serverErrors are what Redis says while it cannot serve; nothing is applied.
func serverErrors() (list []trouble) {
	for _, word := range []string{"OOM", "READONLY", "LOADING", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN", "BUSY", "CLUSTERDOWN", "MISCONF"} {
		list = append(list, trouble{name: "refused " + word, shows: []string{"store " + strings.ToLower(word)}, strike: func(w *world) {
			w.store.change(func() { w.store.refusing, w.store.word = time.Now().Add(w.upTo(4*time.Second)), word })
		}})
	}
	return list
}

func storeTroubles() []trouble {
	return []trouble{
		{name: "reply lost", shows: []string{"store connection"}, strike: func(w *world) {
			w.store.change(func() { w.store.lose = 1 + w.rng.IntN(3) })
		}},
		{name: "command lost", shows: []string{"store connection"}, strike: func(w *world) {
			w.store.change(func() { w.store.drop = 1 + w.rng.IntN(3) })
		}},
		{name: "reply out of bounds", shows: []string{"store protocol"}, strike: func(w *world) {
			w.store.change(func() { w.store.swell = 1 + w.rng.IntN(3) })
		}},
		{name: "append fails midway", shows: nil, strike: func(w *world) {
			w.store.change(func() { w.store.failXADD = 1 })
		}},
		{name: "connections cut", shows: []string{"store connection"}, strike: func(w *world) {
			w.store.cutAll()
			w.counts.struck("connections cut")
		}},
		{name: "server stopped", shows: []string{"store timeout"}, strike: func(w *world) {
			w.store.change(func() { w.store.stalled = time.Now().Add(w.upTo(4 * time.Second)) })
			w.counts.struck("server stopped")
		}},
		{name: "server slow", shows: nil, strike: func(w *world) {
			w.store.change(func() { w.store.slow = 2*time.Millisecond + w.upTo(1500*time.Millisecond) })
			w.counts.struck("server slow")
		}},
		{name: "server restarted", shows: []string{"store dial", "store connection"}, strike: func(w *world) {
			w.store.restart(w.upTo(2*time.Second), nil)
			w.counts.struck("server restarted")
		}},
		{name: "scripts forgotten", shows: []string{"noscript"}, strike: func(w *world) {
			w.store.do("SCRIPT", "FLUSH")
			w.counts.struck("scripts forgotten")
		}},
		{name: "rolled back", shows: []string{"alarm redis_rollback", "alarm cursor_conflict"}, strike: (*world).rollBack},
	}
}

// rollBack lets the server come back as it was a while ago.
func (w *world) rollBack() {
	if w.spoilt() || !w.store.redis.Exists(cursorKey) {
		return // a server that never had a cursor is FLUSHALL's case
	}
	before := w.store.snapshot()
	w.pause(6 * time.Second)
	if w.store.snapshot().oracle.passed > before.oracle.passed {
		w.counts.struck("rolled back")
	}
	w.store.restart(w.upTo(2*time.Second), &before)
}

func operatorTroubles() []trouble {
	return []trouble{
		{name: "cursor deleted", shows: []string{"alarm cursor_missing"}, strike: func(w *world) {
			if !w.spoilt() {
				w.store.do("DEL", cursorKey)
				w.store.turn.Lock()
				w.oracle.bereft(w.unheard())
				w.store.turn.Unlock()
				w.counts.struck("cursor deleted")
			}
		}},
		{name: "cursor garbage", shows: []string{"exit, cursor unusable"}, strike: func(w *world) { w.spoil(cursorKey, "SET", cursorKey, "12x") }},
		{name: "cursor a hash", shows: []string{"exit, cursor unusable"}, strike: func(w *world) { w.spoil(cursorKey, "HSET", cursorKey, "a", "b") }},
		{name: "side key gone", shows: []string{"exit, cursor unusable"}, strike: func(w *world) {
			switch {
			case !w.bridge:
				w.spoil(sideKey, "GET", sideKey)
			case !w.spoilt() && !w.oracle.estranged(): // whoever comes next adopts the cursor
				w.store.turn.Lock()
				w.store.redis.Del(sideKey)
				w.oracle.unnoted()
				w.store.turn.Unlock()
				w.counts.struck("side key gone")
			}
		}},
		{name: "side key another's", shows: []string{"exit, cursor unusable"}, strike: func(w *world) {
			w.spoil(sideKey, "SET", sideKey, `{"relay":"other.example","filter":"","partitions":1,"epoch":0}`)
		}},
		{name: "everything deleted", shows: []string{"alarm cursor_missing"}, strike: func(w *world) {
			if w.spoilt() {
				return
			}
			w.store.turn.Lock()
			w.store.redis.FlushAll()
			w.store.oracle.emptied(w.unheard())
			w.store.turn.Unlock()
			w.counts.struck("everything deleted")
		}},
		{name: "stranger sets the cursor ahead", shows: []string{"alarm cursor_conflict"}, strike: func(w *world) { w.strange(1+w.rng.Int64N(60), false) }},
		{name: "stranger sets the cursor back", shows: []string{"alarm cursor_conflict"}, strike: func(w *world) { w.strange(-1-w.rng.Int64N(60), false) }},
		{name: "stranger deletes and sets the cursor", shows: []string{"alarm cursor_conflict"}, strike: func(w *world) { w.strange(w.rng.Int64N(80)-40, true) }},
		{name: "operator moves the cursor", shows: []string{"alarm cursor_conflict"}, strike: (*world).moveCursor},
		{name: "stream deleted", shows: []string{"alarm cursor_missing"}, strike: func(w *world) { w.vanish(streamKey) }},
		{name: "stream deleted while nobody runs", shows: []string{"alarm cursor_missing"}, strike: func(w *world) { w.desert(); w.vanish(streamKey) }},
		{name: "cursor deleted while nobody runs", shows: []string{"alarm cursor_missing"}, strike: func(w *world) { w.desert(); w.vanish(cursorKey) }},
	}
}

// desert kills every process, and waits until what they sent last has been answered.
func (w *world) desert() {
	for _, p := range w.processes {
		p.kill()
	}
	time.Sleep(10 * time.Second)
}

// vanish deletes stream or cursor where a side key tells what is to become of it, and
// waits until that has come to pass.
func (w *world) vanish(key string) {
	defer w.tend()
	if w.spoilt() {
		return
	}
	w.store.turn.Lock()
	cursor, _ := w.store.redis.Get(cursorKey)
	side, _ := w.store.redis.Get(sideKey)
	entries, _ := w.store.redis.Stream(streamKey)
	can := len(entries) > 0 && strings.Contains(side, `"floor":`) && strings.Contains(side, `"stored":`) && strings.Contains(side, `"upto":`+cursor+",")
	if can {
		w.store.redis.Del(key)
		if key == streamKey {
			first, _ := event.ParseSeq(entries[0].Values[5])
			w.oracle.vanished(first)
		}
		w.counts.struck(w.striking)
	}
	w.store.turn.Unlock()
	for range 120 {
		if w.tend(); !can || w.oracle.whole() {
			return
		}
		w.pause(time.Second)
	}
}

// whole reports whether reading has gone back for what was deleted.
func (o *oracle) whole() bool {
	o.store.turn.Lock()
	defer o.store.turn.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.owed == 0 && o.store.redis.Exists(cursorKey)
}

// estranged reports whether the cursor is still as a stranger wrote it. Without the
// side key nobody could know, and so that is not taken away then.
func (o *oracle) estranged() bool {
	text, _ := o.store.redis.Get(cursorKey)
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.strange != "" && o.strange == text
}

// strange writes the cursor as a bridge does that runs beside us: by itself, without
// a script and without the side key. It may do so again and again.
func (w *world) strange(by int64, deleted bool) {
	for range 1 + w.rng.IntN(3) {
		if w.spoilt() {
			return
		}
		w.store.turn.Lock()
		text, err := w.store.redis.Get(cursorKey)
		seq, ok := event.ParseSeq(text)
		side, _ := w.store.redis.Get(sideKey)
		if to := event.Seq(max(1, int64(seq)+by)); err == nil && ok && to != seq && strings.Contains(side, `"upto":`) {
			if deleted {
				w.store.redis.Del(cursorKey)
			}
			_ = w.store.redis.Set(cursorKey, to.String())
			w.oracle.mu.Lock()
			w.oracle.strange = to.String()
			w.oracle.mu.Unlock()
			w.counts.tell("a stranger moves the cursor from %s to %s", seq, to)
			w.counts.struck(w.striking)
		}
		w.store.turn.Unlock()
		w.pause(time.Second)
	}
}

// unheard says that some process knows of nothing stored yet.
func (w *world) unheard() bool { return slices.ContainsFunc(w.processes, (*process).unheard) }

// spoilt says that a key waits for its operator; what would change it in other
// ways waits as well.
func (w *world) spoilt() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mendText) > 0
}

// spoil overwrites a key and remembers what must be put back.
func (w *world) spoil(key string, command ...string) {
	text, err := w.store.redis.Get(key)
	if err != nil || w.spoilt() {
		return
	}
	w.mu.Lock()
	w.mendText[key] = text
	w.mu.Unlock()
	w.store.do("DEL", key)
	w.store.do(command...)
	w.counts.struck(w.striking)
}

// moveCursor is fhctl cursor set, back or forth.
func (w *world) moveCursor() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stream, err := reader.Open(ctx, reader.Config{Connection: conn.Connection{
		URL: "redis://store:6379", Dialer: (&wiring{}).through(w.store.dial),
	}})
	if err != nil {
		return // Redis is in trouble of its own
	}
	defer stream.Close()
	seen, err := stream.Cursor(ctx)
	if err != nil || w.spoilt() || !seen.Present || !seen.SidePresent || seen.NotSeq {
		return
	}
	to := max(1, seen.Seq+event.Seq(w.rng.IntN(60)-40))
	if admin.MoveCursor(ctx, stream, admin.Move{Seen: seen, To: to, Owner: seen.Side, How: strconv.Itoa(int(to)), By: "trouble"}) == nil {
		w.counts.tell("the operator moves the cursor from %s to %s", seen.Seq, to)
		w.counts.struck("operator moves the cursor")
	}
}

// killed is the trouble that strikes whenever it is tried.
var killed = trouble{name: "kill -9", strike: func(w *world) {
	if p := w.someone(); p != nil {
		p.kill()
		w.counts.struck("kill -9")
	}
}}

func processTroubles() []trouble {
	return []trouble{
		killed,
		{name: "SIGTERM", strike: func(w *world) {
			if p := w.someone(); p != nil {
				p.stop()
				w.counts.struck("SIGTERM")
			}
		}},
		{name: "process frozen", strike: func(w *world) {
			if p := w.someone(); p != nil {
				p.wiring.freeze(w.upTo(15 * time.Second))
				w.counts.struck("process frozen")
			}
		}},
		{name: "second writer", shows: []string{"present", "alarm cursor_conflict"}, strike: func(w *world) {
			if len(w.processes) < 3 {
				w.start()
				w.counts.struck("second writer")
			}
		}},
	}
}

func (w *world) someone() *process {
	if len(w.processes) == 0 {
		return nil
	}
	return w.processes[w.rng.IntN(len(w.processes))]
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// pause lets time pass, minding processes that ended.
func (w *world) pause(most time.Duration) {
	time.Sleep(w.upTo(most))
	w.tend()
}

// trouble strikes at random until the relay has made its last event, then lets
// everything that still ails get well.
func (w *world) trouble(produced <-chan struct{}) {
	kinds := troubles()
	if w.spill != "" {
		kinds = slices.Concat(kinds, slices.Repeat(spillTroubles(), 5))
	}
	most := time.Duration(1+w.rng.IntN(4)) * time.Second
	for done := false; !done; {
		w.pause(most)
		select {
		case <-produced:
			done = true
		default:
			kind := kinds[w.rng.IntN(len(kinds))]
			w.striking = kind.name
			w.counts.tell("trouble: %s", kind.name)
			w.counts.add("tried: " + kind.name)
			kind.strike(w)
		}
	}
	w.store.change(func() { w.store.slow, w.store.failXADD = 2*time.Millisecond, 0 })
	w.repair()
	for kind, n := range w.relay.Injected() {
		w.counts.mu.Lock()
		w.counts.n["fault: relay "+kind] += n
		w.counts.mu.Unlock()
	}
	if w.counts.faults() == 0 { // one seed in thousands: what was tried came too late or was over too soon
		killed.strike(w)
	}
}
