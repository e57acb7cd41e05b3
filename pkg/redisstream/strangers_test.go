package redisstream

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redisstream/strangers"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// heard collects what a Writer tells of strangers.
type heard struct {
	mu     sync.Mutex
	alarms []string
	moves  []event.CursorMove
}

func (h *heard) hear(c *Config) {
	c.Alarm = func(a event.Alarm, seq event.Seq, detail string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.alarms = append(h.alarms, fmt.Sprintf("%s %s %s", a, seq, detail))
	}
	c.CursorMoved = func(m event.CursorMove) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.moves = append(h.moves, m)
	}
}

// said wants one more alarm that contains all of the words.
func (h *heard) said(t *testing.T, words ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.alarms) == 0 {
		t.Fatalf("no alarm, want one with %q", words)
	}
	last := h.alarms[len(h.alarms)-1]
	h.alarms = h.alarms[:len(h.alarms)-1]
	for _, word := range words {
		if !strings.Contains(last, word) {
			t.Fatalf("alarm %q lacks %q", last, word)
		}
	}
}

func (h *heard) nothing(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.alarms)+len(h.moves) > 0 {
		t.Fatalf("told of %q, %v", h.alarms, h.moves)
	}
}

// theirs adds an entry as the Python bridge writes it.
func (k *kit) theirs(repo int, seq event.Seq) {
	k.T.Helper()
	k.Do("xadd", keyspace.DefaultStream, "*", "type", "commit", "data",
		fmt.Sprintf(`{"repo": "did:plc:%d", "ops": [{"action": "create", "path": "app.bsky.feed.post/%d", "cid": null, "record": {"py_type": "app.bsky.feed.post", "created_at": "x"}}]}`, repo, seq), "seq", seq.String())
}

// ofRepos is a batch of seqs, each of the repository its number modulo n names.
func ofRepos(at event.Position, n int, seqs ...event.Seq) *event.Batch {
	b := &event.Batch{}
	b.Reset(at)
	b.Upto = at.Seq
	for _, seq := range seqs {
		b.Add(seq, event.KindCommit, fmt.Appendf(nil, `{"repo":"did:plc:%d","ops":[]}`, int(seq)%n))
	}
	return b
}

// Fault table, a stranger moves the cursor: ahead by one, by far, again and again,
// back, deleted and set. Nothing is passed over, nothing is stored twice, and each
// move is told at once with its range (G1, G2, G7).
func TestStrangerMovesTheCursor(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		for name, c := range map[string]struct {
			to   []string
			want string
		}{
			"one ahead":        {[]string{"101"}, "ahead from 100 to 101"},
			"ahead":            {[]string{"140"}, "seq 101 to 140"},
			"far ahead":        {[]string{"9007199254740991"}, "seq 101 to 9007199254740991"},
			"again and again":  {[]string{"140", "141", "180"}, "to 180"},
			"one back":         {[]string{"99"}, "back from 100 to 99"},
			"back":             {[]string{"40"}, "seq 41 to 100"},
			"to the beginning": {[]string{"0"}, "back from 100 to 0"},
			"deleted and set":  {[]string{"", "150"}, "ahead from 100 to 150"},
		} {
			t.Run(name, func(t *testing.T) {
				k, h := newKit(t, server), &heard{}
				k.Do("flushall")
				w, _ := k.open(h.hear)
				k.must(w, storetest.Run(storetest.Live, 1, 100))
				at := event.Seq(100)
				for _, to := range c.to {
					if to == "" {
						k.Do("del", keyspace.DefaultCursor)
						continue
					}
					k.Set(keyspace.DefaultCursor, to)
					k.must(w, storetest.Run(event.AfterSeq(at), at+1, at+5), storetest.Run(event.AfterSeq(at+5), at+6, at+9))
					at += 9
				}
				k.wantRun(1, at)
				if got := k.Get(keyspace.DefaultCursor); got != at.String() {
					t.Errorf("the cursor is %s, want %s", got, at)
				}
				if strings.Contains(c.want, "to 180") {
					h.said(t, "cursor_conflict", c.want)
				} else {
					h.said(t, "cursor_conflict", c.want, "another program")
				}
				moves := 0
				for _, to := range c.to {
					if to != "" {
						moves++
					}
				}
				if len(h.moves) != moves || len(h.alarms) != moves-1 {
					t.Errorf("told of %d moves in %d alarms, want %d", len(h.moves), len(h.alarms)+1, moves)
				}
			})
		}
	})
}

// A stranger that saves its cursor again and again does not fill the log, and the
// counters have all of it.
func TestStrangerAgainAndAgainIsToldNowAndThen(t *testing.T) {
	k, h := newKit(t, redistest.Start(t)), &heard{}
	w, _ := k.open(h.hear)
	k.must(w, storetest.Run(storetest.Live, 1, 100))
	for at := event.Seq(100); at < 200; at++ {
		k.Set(keyspace.DefaultCursor, (at + 40).String())
		k.must(w, storetest.Batch(event.AfterSeq(at), at+1))
	}
	k.wantRun(1, 200)
	if len(h.moves) != 100 || len(h.alarms) != strangers.TellAtOnce {
		t.Errorf("%d moves in %d alarms, want 100 in %d", len(h.moves), len(h.alarms), strangers.TellAtOnce)
	}
}

// An operator's move is no stranger's: it is followed, and raises the epoch.
func TestOperatorIsNoStranger(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k, h := newKit(t, server), &heard{}
		w, _ := k.open(h.hear)
		k.must(w, storetest.Run(storetest.Live, 1, 100))
		move := func(to event.Seq) {
			t.Helper()
			r := k.reader()
			seen, err := r.Cursor(k.Ctx())
			storetest.Must(t, err)
			storetest.Must(t, admin.MoveCursor(k.Ctx(), r, admin.Move{Seen: seen, To: to, Owner: seen.Side, How: "test", By: "test"}))
		}
		move(60)
		k.moved(w, event.AlarmConflict, event.AfterSeq(60), storetest.Batch(event.AfterSeq(100), 101))
		move(150)
		k.moved(w, event.AlarmConflict, event.AfterSeq(150), storetest.Batch(event.AfterSeq(60), 61))
		h.nothing(t)
		// Even before anything was stored behind it, a stranger's is told from it.
		k.Set(keyspace.DefaultCursor, "190")
		k.must(w, storetest.Run(event.AfterSeq(150), 151, 152))
		h.said(t, "ahead from 150 to 190")
		if got := k.stream(); len(got) != 102 {
			t.Errorf("stream is %v", got)
		}
	})
}

// What a stranger's own entries hold is not stored again, what it left out is, but
// never behind a later event of the same repository: that is told as lost.
func TestStrangersOwnEntriesAreNotRepeated(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k, h := newKit(t, server), &heard{}
		w, _ := k.open(h.hear, func(c *Config) { c.Identity.Relay = script.BridgeRelay })
		k.must(w, ofRepos(storetest.Live, 5, 96, 97, 98, 99, 100))
		for _, seq := range []event.Seq{101, 104, 103, 107} { // 102 left out, 105 and 106 too; odd order
			k.theirs(int(seq)%5, seq)
		}
		k.Do("xadd", keyspace.DefaultStream, "*", "type", "commit", "data", "{}", "seq", "none")
		k.Do("xadd", keyspace.DefaultStream, "*", "type", "commit", "data", "{")
		k.Set(keyspace.DefaultCursor, "107")
		// 102 is of repository 2 as 107 is: behind it.
		got := k.must(w, ofRepos(event.AfterSeq(100), 5, 101, 102, 103), ofRepos(event.AfterSeq(103), 5, 104, 105, 106, 107, 108))
		if got[0].Present != 2 || got[0].Foreign != 2 || got[0].Lost != 1 || got[0].Appended != 0 {
			t.Errorf("first receipt %+v", got[0])
		}
		if got[1].Present != 2 || got[1].Foreign != 2 || got[1].Lost != 0 || got[1].Appended != 3 {
			t.Errorf("second receipt %+v", got[1])
		}
		if seqs := k.seqs(); fmt.Sprint(seqs) != "[96 97 98 99 100 101 104 103 107 105 106 108]" {
			t.Errorf("stream is %v", seqs)
		}
		h.said(t, "foreign_writer 102", "1 events, seq 102")
		h.said(t, "cursor_conflict 101", "seq 101 to 107")
	})
}

// seqs are those of all entries that have one, whatever their shape.
func (k *kit) seqs() (seqs []event.Seq) {
	k.T.Helper()
	rows, err := k.Client.XRange(k.Ctx(), keyspace.DefaultStream, "-", "+").Result()
	storetest.Must(k.T, err)
	for _, row := range rows {
		if seq, ok := seqOf(row); ok {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// The first take-over from a bridge that was killed: its cursor is behind its stream.
// A crash after each batch leaves what the next process needs.
func TestTakeoverFromAKilledBridge(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k, h := newKit(t, server), &heard{}
		for seq := event.Seq(1); seq <= 60; seq++ {
			if seq != 43 && seq != 59 && seq != 60 {
				k.theirs(int(seq)%30, seq)
			}
		}
		k.Set(keyspace.DefaultCursor, "30")
		at := event.Seq(30)
		lost, appended := 0, 0
		for at < 80 {
			w, from := k.open(h.hear, func(c *Config) { c.Identity.Relay = script.BridgeRelay })
			if from.Position != event.AfterSeq(at) {
				t.Fatalf("resume at %s, want %s", from.Position, at)
			}
			var batches []*event.Batch
			for range 2 { // 7 at a time, then the process dies
				var seqs []event.Seq
				for range 7 {
					at++
					seqs = append(seqs, at)
				}
				batches = append(batches, ofRepos(event.AfterSeq(seqs[0]-1), 30, seqs...))
			}
			for _, r := range k.must(w, batches...) {
				lost += r.Lost
				appended += r.Appended
			}
			_ = w.Close()
		}
		seen := map[event.Seq]int{}
		for _, seq := range k.seqs() {
			seen[seq]++
		}
		for seq := event.Seq(1); seq <= at; seq++ {
			if seen[seq] != 1 {
				t.Errorf("seq %s is there %d times", seq, seen[seq])
			}
		}
		if lost != 0 || appended != int(at)-60+3 {
			t.Errorf("%d lost, %d appended", lost, appended)
		}
		if side := k.Get(keyspace.DefaultCursor + ":meta"); strings.Contains(side, "othersTo") {
			t.Errorf("the side key still tells of others: %s", side)
		}
	})
}

// A bridge that goes on while it is taken over: what it leaves out from then on is
// ours to store, although its cursor has passed it.
func TestTakeoverFromABridgeThatGoesOn(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		k.theirs(1, 41)
		k.Set(keyspace.DefaultCursor, "40")
		w, at := k.open(func(c *Config) { c.Identity.Relay = script.BridgeRelay })
		k.theirs(4, 44)
		k.Set(keyspace.DefaultCursor, "44")
		k.must(w, ofRepos(at.Position, 10, 41, 42, 43, 44, 45))
		if seqs := k.seqs(); fmt.Sprint(seqs) != "[41 44 42 43 45]" {
			t.Errorf("stream is %v", seqs)
		}
	})
}

// A bridge that ran alone for so long that nothing of ours is left is followed from
// where it stands.
func TestTakeoverAfterABridgeThatRanAlone(t *testing.T) {
	k, h := newKit(t, redistest.Start(t)), &heard{}
	bridge := func(c *Config) { c.Identity.Relay = script.BridgeRelay }
	w, _ := k.open(h.hear, bridge)
	k.must(w, ofRepos(storetest.Live, 5, 1, 2, 3))
	_ = w.Close()
	for seq := event.Seq(501); seq <= 520; seq++ {
		k.theirs(int(seq)%5, seq)
	}
	k.Do("xtrim", keyspace.DefaultStream, "maxlen", "20")
	k.Set(keyspace.DefaultCursor, "510")
	w, at := k.open(h.hear, bridge)
	if at.Position != event.AfterSeq(510) {
		t.Fatalf("resume at %s: %s", at.Position, at.Why)
	}
	k.must(w, ofRepos(at.Position, 5, 511, 515, 520, 521))
	if seqs := k.seqs(); len(seqs) != 21 || seqs[20] != 521 {
		t.Fatalf("stream is %v", seqs)
	}
}

// While the relay is quiet a leader notices as well, and puts the cursor back.
func TestStrangerIsNoticedWhileNothingIsStored(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k, h := newKit(t, server), &heard{}
		w, _ := k.open(h.hear, func(c *Config) { c.Writer = "fhctl/quiet" })
		k.must(w, storetest.Run(storetest.Live, 1, 5))
		for _, to := range []string{"44", "2"} {
			k.Set(keyspace.DefaultCursor, to)
			storetest.Eventually(t, "the cursor to be put back", func() bool {
				_, err := w.Lead(k.Ctx())
				storetest.Must(t, err)
				return k.Get(keyspace.DefaultCursor) == "5"
			})
			h.said(t, "cursor_conflict", "from 5 to "+to)
		}
		k.must(w, storetest.Batch(event.AfterSeq(5), 6))
		k.want(6, 1, 2, 3, 4, 5, 6)
	})
}

// Of a pair, the one that takes over goes on where the leader was, whatever the key
// holds; so does one that polls while it is held.
func TestStrangerBesideAPair(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k, h := newKit(t, server), &heard{}
		a, b := k.member("a"), k.member("b", h.hear)
		k.leads(a)
		k.must(a, storetest.Run(storetest.Live, 1, 9))
		k.standsBy(b, "a", 9)
		k.Set(keyspace.DefaultCursor, "49")
		k.standsBy(b, "a", 9)
		if seq, ok, err := b.Poll(k.Ctx()); seq != 9 || !ok || err != nil {
			t.Errorf("poll: %s, %v, %v", seq, ok, err)
		}
		k.expire()
		k.leads(b)
		at, err := b.Resume(k.Ctx())
		storetest.Must(t, err)
		if at.Position != event.AfterSeq(9) {
			t.Fatalf("takes over at %s", at.Position)
		}
		k.must(b, storetest.Run(at.Position, 10, 12))
		k.want(12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
		h.said(t, "from 9 to 49")
	})
}

// Replies are lost while a stranger moves the cursor.
func TestStrangerWhileRepliesAreLost(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		proxy := redistest.NewProxy(t, server.Addr())
		w, _ := k.open(func(c *Config) { c.URL = proxy.URL() })
		k.must(w, storetest.Run(storetest.Live, 1, 10))
		for at := event.Seq(10); at < 100; at += 10 {
			k.Set(keyspace.DefaultCursor, (at + event.Seq(at%7) - 3).String())
			proxy.LoseReplies(int(at/10) % 4)
			k.must(w, storetest.Run(event.AfterSeq(at), at+1, at+4), storetest.Run(event.AfterSeq(at+4), at+5, at+10))
		}
		k.wantRun(1, 100)
	})
}

// Redis loses writes while a stranger has moved the cursor: it is a rollback, to
// where ours was left then.
func TestStrangerAndRollbackAtOnce(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k, h := newKit(t, server), &heard{}
		w, _ := k.open(h.hear)
		k.must(w, storetest.Run(storetest.Live, 1, 10))
		k.rollBack(keyspace.DefaultCursor, 6)
		rows, err := k.Client.XRevRangeN(k.Ctx(), keyspace.DefaultStream, "+", "-", 4).Result()
		storetest.Must(t, err)
		for _, row := range rows {
			k.Do("xdel", keyspace.DefaultStream, row.ID)
		}
		k.Set(keyspace.DefaultCursor, "40")
		k.moved(w, event.AlarmRollback, event.AfterSeq(6), storetest.Batch(event.AfterSeq(10), 11))
		k.must(w, storetest.Run(event.AfterSeq(6), 7, 12))
		k.wantRun(1, 12)
		h.said(t, "cursor_conflict", "ahead from 6 to 40")
	})
}

// Each partition of a set is told from strangers by itself.
func TestStrangerBesideASet(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		h := &heard{}
		w, _ := s.openSet(h.hear)
		s.mustSet(w, s.batch(storetest.Live, 1, 60))
		s.kit.Set(keyspace.Partition(keyspace.DefaultCursor, 1), "90")
		s.kit.Set(keyspace.Partition(keyspace.DefaultCursor, 2), "20")
		s.mustSet(w, s.batch(event.AfterSeq(60), 61, 80), s.batch(event.AfterSeq(80), 81, 120))
		s.wantSet(1, 120)
		if len(h.moves) != 2 {
			t.Errorf("told of %v", h.moves)
		}
	})
}

// A batch that could be stored in part only leaves a side key that tells how far: the
// cursor is no stranger's.
func TestAppendPartialIsNoStranger(t *testing.T) {
	redistest.RequireReal(t)
	k, h := newKit(t, redistest.Start(t)), &heard{}
	w, _ := k.open(h.hear)
	k.Do("xadd", keyspace.DefaultStream, "18446744073709551615-18446744073709551614", "type", "commit", "data", "{}", "seq", "1")
	_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Batch(storetest.Live, 5, 6, 7)})
	storetest.WantErr(t, err, fault.Data)
	if side := k.side(); side != sideAt(5, 5, 4) {
		t.Errorf("the side key is %s", side)
	}
	h.nothing(t)
}

// Who it was is told as far as Redis knows.
func TestStrangerIsNamed(t *testing.T) {
	redistest.RequireReal(t)
	k, h := newKit(t, redistest.Start(t)), &heard{}
	w, _ := k.open(h.hear)
	k.must(w, storetest.Run(storetest.Live, 1, 5))
	k.Set(dashboard.StatusKey, `{"connected":true,"url":"wss://bsky.network","currentCursor":"9"}`)
	k.Do("client", "setname", "somebody")
	k.Set(keyspace.DefaultCursor, "2")
	k.must(w, storetest.Batch(event.AfterSeq(5), 6))
	h.said(t, "relay wss://bsky.network", "somebody ran SET last")
}

// Entries of others are held within bounds, and the rest is read when it is needed.
func TestOthersAreBounded(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	const n = 3 * strangers.LookPage / 2
	pipe := k.Client.Pipeline()
	for seq := 1; seq <= n; seq++ {
		pipe.Do(k.Ctx(), "xadd", keyspace.DefaultStream, "*", "type", "commit", "data", fmt.Sprintf(`{"repo":"did:plc:%d"}`, seq), "seq", seq)
	}
	if _, err := pipe.Exec(k.Ctx()); err != nil {
		t.Fatal(err)
	}
	k.Set(keyspace.DefaultCursor, "10")
	w, _ := k.open(func(c *Config) { c.Identity.Relay = script.BridgeRelay })
	w.others.Most = 100
	for at := event.Seq(10); at < n+50; at += 50 {
		var seqs []event.Seq
		for seq := at + 1; seq <= at+50; seq++ {
			seqs = append(seqs, seq)
		}
		k.must(w, ofRepos(event.AfterSeq(at), 1_000_000, seqs...))
		if w.others.Kept() > 100+strangers.LookPage {
			t.Fatalf("%d entries are held", w.others.Kept())
		}
	}
	seen := map[event.Seq]int{}
	for _, seq := range k.seqs() {
		if seen[seq]++; seen[seq] > 1 {
			t.Fatalf("seq %s is there twice", seq)
		}
	}
	if len(seen) < n+40 {
		t.Errorf("%d seqs", len(seen))
	}
}

// The long silence of a stranger ends the search for its entries.
func TestOthersAreForgotten(t *testing.T) {
	k := newKit(t, redistest.Start(t))
	w, _ := k.open()
	k.must(w, storetest.Run(storetest.Live, 1, 5))
	k.Set(keyspace.DefaultCursor, "9")
	k.must(w, storetest.Batch(event.AfterSeq(5), 6))
	if !w.others.Watching() {
		t.Fatal("a stranger is not watched")
	}
	w.others.Clock = func() time.Time { return time.Now().Add(time.Minute) }
	k.must(w, storetest.Batch(event.AfterSeq(6), 7))
	k.must(w, storetest.Batch(event.AfterSeq(7), 8))
	if w.others.Watching() {
		t.Fatal("a stranger that is gone is watched for ever")
	}
	k.Set(keyspace.DefaultCursor, "99")
	k.must(w, storetest.Batch(event.AfterSeq(8), 9))
	k.wantRun(1, 9)
}

// What a stranger did with another relay's numbers is not taken for our events.
func TestStrangerOfAnotherRelay(t *testing.T) {
	k, h := newKit(t, redistest.Start(t)), &heard{}
	w, _ := k.open(h.hear)
	k.must(w, ofRepos(storetest.Live, 5, 1, 2, 3))
	for seq := event.Seq(3); seq <= 30; seq++ {
		k.theirs(int(seq+1)%5, seq) // the same numbers, other events
	}
	k.Set(keyspace.DefaultCursor, "30")
	got := k.must(w, ofRepos(event.AfterSeq(3), 5, 4, 5, 6, 7, 8, 9))
	if got[0].Appended != 6 || got[0].Lost != 0 {
		t.Errorf("receipt %+v", got[0])
	}
	h.said(t, "cursor_conflict")
}

// A bridge's cursor that an operator took over under another key is taken over like
// any: its entries beyond the cursor are not stored again.
func TestTakeoverUnderAnotherKey(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		for seq := event.Seq(38); seq <= 45; seq++ {
			k.theirs(int(seq), seq)
		}
		r := k.reader(func(c *reader.Config) { c.CursorKey = "better" })
		seen, err := r.Cursor(k.Ctx())
		storetest.Must(t, err)
		storetest.Must(t, admin.MoveCursor(k.Ctx(), r, admin.Move{Seen: seen, To: 40, Owner: script.Side{Relay: script.BridgeRelay}, How: "test", By: "test", Adopt: true}))
		w, at := k.open(func(c *Config) { c.Identity.Relay, c.CursorKey = script.BridgeRelay, "better" })
		k.must(w, ofRepos(at.Position, 100, 41, 42, 43, 44, 45, 46))
		if seqs := k.seqs(); fmt.Sprint(seqs) != "[38 39 40 41 42 43 44 45 46]" {
			t.Errorf("stream is %v", seqs)
		}
	})
}

func seqOf(row redis.XMessage) (event.Seq, bool) {
	text, _ := row.Values["seq"].(string)
	seq, ok := event.ParseSeq(text)
	return seq, ok && seq > 0
}
