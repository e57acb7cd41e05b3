package redisstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// start opens a writer as a new process does: it resumes again for as long as the
// cursor had to be moved first, and gives what that told.
func (k *kit) start(change ...func(*Config)) (w *Writer, at event.Resume, told []*event.Moved) {
	k.T.Helper()
	w, err := Open(k.Ctx(), k.config(change...))
	if err != nil {
		k.T.Fatalf("open: %v (hint: %s)", err, fault.HintOf(err))
	}
	k.T.Cleanup(func() { _ = w.Close() })
	at, told = k.settle(w)
	return w, at, told
}

func (k *kit) settle(w interface {
	Resume(ctx context.Context) (event.Resume, error)
}) (at event.Resume, told []*event.Moved) {
	k.T.Helper()
	for len(told) < 5 {
		at, err := w.Resume(k.Ctx())
		var moved *event.Moved
		if !errors.As(err, &moved) {
			if err != nil {
				k.T.Fatalf("resume: %v (hint: %s)", err, fault.HintOf(err))
			}
			return at, told
		}
		told = append(told, moved)
	}
	k.T.Fatalf("resume never ends: %v", told)
	return at, told
}

// tells wants exactly one alarm of that kind, which speaks of all these words.
func (k *kit) tells(told []*event.Moved, alarm event.Alarm, words ...string) {
	k.T.Helper()
	if len(told) != 1 || told[0].Alarm != alarm {
		k.T.Fatalf("told %v, want one alarm %s", told, alarm)
	}
	for _, word := range words {
		if !strings.Contains(told[0].Detail, word) {
			k.T.Fatalf("%q does not speak of %q", told[0].Detail, word)
		}
	}
}

// reads lets a group take n entries and acknowledge them.
func (k *kit) reads(group string, n int) {
	k.T.Helper()
	if n > 0 {
		k.Do("xreadgroup", "group", group, "c", "count", n, "noack", "streams", keyspace.DefaultStream, ">")
	}
}

// noted lets the writer ask the groups and write down what it learnt.
func (k *kit) noted(w *Writer, last event.Seq) {
	k.T.Helper()
	w.floor.Next = time.Time{}
	k.must(w, storetest.Watermark(event.AfterSeq(last), last+1))
	k.must(w, storetest.Watermark(event.AfterSeq(last+1), last+2))
}

// How a stream can lose everything while its cursor stays.
var vanishings = map[string]func(*kit){
	"deleted": func(k *kit) { k.Do("del", keyspace.DefaultStream) },
	"trimmed": func(k *kit) { k.Do("xtrim", keyspace.DefaultStream, "maxlen", "0") },
	"renamed": func(k *kit) { k.Do("rename", keyspace.DefaultStream, "elsewhere") },
	"recreated": func(k *kit) {
		k.Do("del", keyspace.DefaultStream)
		k.Do("xgroup", "create", keyspace.DefaultStream, "one", "0", "mkstream")
	},
	"twice": func(k *kit) {
		k.Do("del", keyspace.DefaultStream)
		k.Do("xgroup", "create", keyspace.DefaultStream, "one", "0", "mkstream")
		k.Do("del", keyspace.DefaultStream)
	},
}

// Fault table, stream deleted around a restart (G1, G7): whoever starts next reads
// again what not every group had acknowledged, and says which seqs these are.
func TestStartStreamVanished(t *testing.T) {
	t.Parallel()
	for name, vanish := range vanishings {
		for groups, prepare := range map[string]struct {
			do    func(*kit)
			floor event.Seq
		}{
			"no group":    {func(*kit) {}, 0},
			"one group":   {func(k *kit) { k.group("one", 6) }, 6},
			"one lags":    {func(k *kit) { k.group("one", 6); k.group("two", 2); k.group("three", 9) }, 2},
			"one has not": {func(k *kit) { k.group("one", 0); k.group("two", 9) }, 0},
		} {
			t.Run(name+", "+groups, func(t *testing.T) {
				t.Parallel()
				redistest.Each(t, func(t *testing.T, server *redistest.Server) {
					k := newKit(t, server)
					w, _ := k.open()
					k.must(w, storetest.Run(storetest.Live, 1, 9))
					prepare.do(k)
					k.noted(w, 9)
					vanish(k)
					w, at, told := k.start()
					k.tells(told, event.AlarmCursorMissing, keyspace.DefaultStream, fmt.Sprintf("%d to 11", prepare.floor+1))
					if at.Position != event.Behind(prepare.floor) {
						t.Fatalf("resume at %v", at)
					}
					k.must(w, storetest.Run(at.Position, prepare.floor+1, 20))
					k.wantRun(prepare.floor+1, 20)
					if _, _, told := k.start(); len(told) > 0 {
						t.Fatalf("told again: %v", told)
					}
				})
			})
		}
	}
}

func (k *kit) group(name string, read int) {
	k.T.Helper()
	k.Do("xgroup", "create", keyspace.DefaultStream, name, "0")
	k.reads(name, read)
}

// G7: nothing is going back where there is nothing to go back for.
func TestStartStreamVanishedAfterAllWasAcknowledged(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 1, 9))
		k.group("one", 9)
		k.noted(w, 9)
		k.Do("del", keyspace.DefaultStream)
		w, at, told := k.start()
		k.tells(told, event.AlarmCursorMissing, "nothing is read again")
		if at.Position != event.AfterSeq(11) || strings.Contains(told[0].Detail, "going back") {
			t.Fatalf("resume at %v: %v", at, told[0])
		}
		k.must(w, storetest.Batch(at.Position, 12))
		k.wantRun(12, 12)
	})
}

// beside changes fields of the side key; nil takes one away.
func (k *kit) beside(change map[string]any) {
	k.T.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(k.Get(keyspace.DefaultCursor+":meta")), &fields); err != nil {
		k.T.Fatal(err)
	}
	for name, value := range change {
		if fields[name] = value; value == nil {
			delete(fields, name)
		}
	}
	text, _ := json.Marshal(fields)
	k.Set(keyspace.DefaultCursor+":meta", string(text))
}

// losses is the ledger, newest line first.
func (k *kit) losses() []reader.Loss {
	k.T.Helper()
	r, err := reader.Open(k.Ctx(), reader.Config{Connection: k.config().Connection})
	storetest.Must(k.T, err)
	defer r.Close()
	lines, why, err := r.Losses(k.Ctx(), 10)
	if storetest.Must(k.T, err); why != "" {
		k.T.Fatal(why)
	}
	return lines
}

// G7: beside a side key of an older version nobody knows what to go back to. What is
// gone is said, and noted; nothing is "read again".
func TestStartStreamVanishedWithoutANote(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 1, 9))
		k.beside(map[string]any{"floor": nil})
		k.Do("del", keyspace.DefaultStream)
		w, at, told := k.start()
		k.tells(told, event.AlarmRemoved, "up to seq 9 is gone", "nothing is read again")
		if at.Position != event.AfterSeq(9) {
			t.Fatalf("resume at %v", at)
		}
		if lines := k.losses(); len(lines) != 1 || lines[0].Group != "" || lines[0].From != 0 || lines[0].To != 9 {
			t.Fatalf("ledger %+v", lines)
		}
		k.must(w, storetest.Batch(at.Position, 10))
		if _, _, told := k.start(); len(told) > 0 {
			t.Fatalf("told again: %v", told)
		}
	})
}

// Fault table, the newest entries removed while nobody ran: the range is named, and
// read again unless every group had acknowledged it. Entries that something else
// appended behind them are no removal.
func TestStartNewestEntriesRemoved(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		read   int // by the one group; -1 without groups
		spoil  func(*kit)
		words  string
		at     event.Seq
		quiet  bool
		holds  []event.Seq
		noteTo event.Seq
	}{
		"unread":       {read: -1, spoil: (*kit).cutThree, words: "seq 7 to 9; going back to 6", at: 6, holds: []event.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		"read in part": {read: 8, spoil: (*kit).cutThree, words: "seq 7 to 9; going back to 8: seq 9 to 11 is read again", at: 8, holds: []event.Seq{1, 2, 3, 4, 5, 6, 9, 10, 11, 12}},
		"read":         {read: 9, spoil: (*kit).cutThree, words: "every group had acknowledged them", at: 11, holds: []event.Seq{1, 2, 3, 4, 5, 6, 12}},
		"an older copy": {read: -1, spoil: func(k *kit) {
			k.Do("del", keyspace.DefaultStream)
			for seq := 1; seq <= 4; seq++ {
				k.Do("xadd", keyspace.DefaultStream, "*", "type", "commit", "data", "{}", "seq", seq)
			}
		}, words: "seq 5 to 9; going back to 4", at: 4, holds: []event.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		"others appended": {read: -1, spoil: func(k *kit) {
			k.Do("xadd", keyspace.DefaultStream, "*", "type", "commit", "data", "{}", "seq", "3")
		}, quiet: true, at: 11, holds: []event.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 12}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				w, _ := k.open()
				k.must(w, storetest.Run(storetest.Live, 1, 9))
				if c.read >= 0 {
					k.group("one", c.read)
				}
				k.noted(w, 9)
				c.spoil(k)
				w, at, told := k.start()
				if c.quiet != (len(told) == 0) {
					t.Fatalf("told %v", told)
				}
				if !c.quiet {
					k.tells(told, event.AlarmRemoved, c.words)
				}
				if at.Position != event.AfterSeq(c.at) {
					t.Fatalf("resume at %v", at)
				}
				k.must(w, storetest.Run(at.Position, c.at+1, 12)) // 10 and 11 yield entries only here
				got := k.stream()
				for i := range got {
					if c.at == 11 && i < len(c.holds) && got[i] != c.holds[i] || c.at < 11 && got[i] != c.holds[i] {
						t.Fatalf("stream %v, want %v", got, c.holds)
					}
				}
				if len(got) != len(c.holds) {
					t.Fatalf("stream %v, want %v", got, c.holds)
				}
			})
		})
	}
}

func (k *kit) cutThree() {
	k.T.Helper()
	for _, id := range k.ids()[6:] {
		k.Do("xdel", keyspace.DefaultStream, id)
	}
}

// G7: a start that was asked to begin elsewhere does so, and tells what is gone by it.
func TestStartStreamVanishedAndAskedToBeginElsewhere(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct {
		at   event.Position
		word string
	}{"oldest": {oldest, ""}, "2": {event.AfterSeq(2), ""}, "8": {event.AfterSeq(8), "seq 7 to 8"}, "live": {storetest.Live, "seq 7 to 9"}} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				w, _ := k.open()
				k.must(w, storetest.Run(storetest.Live, 1, 9))
				k.group("one", 6)
				k.noted(w, 9)
				k.Do("del", keyspace.DefaultStream)
				_, at, told := k.start(from(t, text))
				if at.Position != c.at {
					t.Fatalf("resume at %v", at)
				}
				if c.word == "" && len(told) > 0 {
					t.Fatalf("told %v", told)
				}
				if c.word != "" {
					k.tells(told, event.AlarmRemoved, c.word, "gone")
				}
			})
		})
	}
}

// Fault table, cursor deleted while nobody runs: the next start goes on where the
// side key says that it was left, and says so; unless it was asked for elsewhere.
func TestStartCursorVanished(t *testing.T) {
	t.Parallel()
	none := func(*kit) {}
	for name, c := range map[string]struct {
		spoil func(*kit)
		from  string
		at    event.Position
		told  int
	}{
		"alone":               {none, "saved", event.AfterSeq(11), 1},
		"asked before":        {func(k *kit) { k.beside(map[string]any{"from": "oldest"}) }, "oldest", event.AfterSeq(11), 1},
		"asked for oldest":    {none, "oldest", oldest, 0},
		"asked for a seq":     {none, "4", event.AfterSeq(4), 0},
		"asked for live":      {none, "live", storetest.Live, 0},
		"older side key":      {func(k *kit) { k.beside(map[string]any{"stored": nil, "upto": nil, "floor": nil}) }, "saved", event.AfterSeq(9), 1},
		"newest entries gone": {(*kit).cutThree, "saved", event.AfterSeq(6), 2},
		"with the stream":     {func(k *kit) { k.Do("del", keyspace.DefaultStream) }, "saved", event.AfterSeq(5), 1},
		"with all it could be from": {func(k *kit) {
			k.Do("del", keyspace.DefaultStream)
			k.beside(map[string]any{"stored": nil, "upto": nil, "floor": nil})
		}, "saved", storetest.Live, 1},
		"with the side key":          {func(k *kit) { k.Do("del", keyspace.DefaultCursor+":meta") }, "saved", storetest.Live, 0},
		"put there by an operator":   {func(k *kit) { k.beside(map[string]any{"stored": nil, "upto": nil, "set": "3"}) }, "saved", event.AfterSeq(3), 1},
		"under a leader that is led": {func(k *kit) { k.Set(keyspace.DefaultCursor+":lease", "b/x/1@elsewhere#1") }, "saved", event.AfterSeq(11), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				w, _ := k.open()
				k.must(w, storetest.Run(storetest.Live, 1, 9))
				k.group("one", 5)
				k.noted(w, 9)
				k.Do("del", keyspace.DefaultCursor)
				c.spoil(k)
				_, at, told := k.start(from(t, c.from))
				if at.Position != c.at || len(told) != c.told || c.told > 0 && told[0].Alarm != event.AlarmCursorMissing {
					t.Fatalf("resume at %v, told %v", at, told)
				}
				if c.told > 0 && c.at != storetest.Live && k.Get(keyspace.DefaultCursor) != c.at.Seq.String() {
					t.Fatalf("the cursor is %s", k.Get(keyspace.DefaultCursor))
				}
			})
		})
	}
}

// Contract §7.2: a cursor that is not where fhctl left it, on another relay than the
// bridge's, is refused, and so are entries behind it when it is gone. What explains
// itself is not.
func TestStartContradiction(t *testing.T) {
	t.Parallel()
	bridge := func(k *kit) {
		k.Set(keyspace.DefaultCursor, "7000000123")
		k.Do("xadd", keyspace.DefaultStream, "*", "type", "commit", "data", "{}", "seq", "7000000124")
	}
	for name, c := range map[string]struct {
		relay   string
		spoil   func(*kit)
		from    string
		refused bool
	}{
		"bridge":                  {storetest.Relay, bridge, "saved", true},
		"lower numbers":           {storetest.Relay, func(k *kit) { k.Set(keyspace.DefaultCursor, "5") }, "saved", true},
		"bridge, cursor gone":     {storetest.Relay, func(k *kit) { bridge(k); k.Do("del", keyspace.DefaultCursor) }, "saved", true},
		"after cursor set":        {storetest.Relay, func(k *kit) { k.beside(map[string]any{"stored": nil, "upto": nil, "set": "4"}); bridge(k) }, "saved", true},
		"asked for another place": {storetest.Relay, bridge, "oldest", false},
		"bridge on its own relay": {script.BridgeRelay, bridge, "saved", false},
		"older side key":          {storetest.Relay, func(k *kit) { k.beside(map[string]any{"stored": nil, "upto": nil}); k.Set(keyspace.DefaultCursor, "5") }, "saved", false},
		"where the last entry is": {storetest.Relay, func(k *kit) { k.Set(keyspace.DefaultCursor, "9") }, "saved", false},
		"where cursor set put it": {storetest.Relay, func(k *kit) {
			k.beside(map[string]any{"stored": nil, "upto": nil, "set": "4"})
			k.Set(keyspace.DefaultCursor, "4")
		}, "saved", false},
		"while another writer's leads": {storetest.Relay, func(k *kit) {
			k.Set(keyspace.DefaultCursor, "8")
			k.Set(keyspace.DefaultCursor+":lease", "b/x/1@elsewhere#1")
		}, "saved", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				mine := func(cfg *Config) { cfg.Identity.Relay = c.relay }
				w, _ := k.open(mine)
				k.must(w, storetest.Run(storetest.Live, 1, 9))
				k.must(w, storetest.Watermark(event.AfterSeq(9), 11))
				c.spoil(k)
				before := k.Get(keyspace.DefaultCursor) + k.Get(keyspace.DefaultCursor+":meta")
				w, err := Open(k.Ctx(), k.config(mine, from(t, c.from), func(cfg *Config) { cfg.Writer = "a" }))
				storetest.Must(t, err)
				defer w.Close()
				_, err = w.Resume(k.Ctx())
				if !c.refused {
					storetest.Must(t, err)
					return
				}
				storetest.WantErr(t, err, fault.Cursor)
				if !strings.Contains(err.Error(), script.BridgeRelay) || !strings.Contains(fault.HintOf(err), storetest.Relay) {
					t.Fatalf("%v (hint: %s)", err, fault.HintOf(err))
				}
				if after := k.Get(keyspace.DefaultCursor) + k.Get(keyspace.DefaultCursor+":meta"); after != before {
					t.Fatalf("%s became %s", before, after)
				}
			})
		})
	}
}

// A batch stored in part leaves a side key that agrees with the cursor.
func TestStartAfterABatchStoredInPart(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	w, _ := k.open()
	k.Do("xadd", keyspace.DefaultStream, "18446744073709551615-18446744073709551614", "type", "commit", "data", "{}", "seq", "1")
	_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Batch(storetest.Live, 5, 6, 7)})
	storetest.WantErr(t, err, fault.Data)
	if _, at, told := k.start(); at.Position != event.AfterSeq(5) || len(told) > 0 {
		t.Fatalf("resume at %v, told %v", at, told)
	}
}

// A stream that is emptied while its leader has nothing to store: that groups find
// nothing left to read does not raise what is known of them.
func TestStartStreamVanishedWhileIdle(t *testing.T) {
	t.Parallel()
	for name, vanish := range vanishings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				w, _ := k.open()
				k.must(w, storetest.Run(storetest.Live, 1, 9))
				k.group("one", 6)
				k.noted(w, 9)
				vanish(k)
				w.floor.Next = time.Time{}
				w.remember(k.Ctx())
				if w.floor.Seq != 6 {
					t.Fatalf("the floor became %d", w.floor.Seq)
				}
				k.moved(w, event.AlarmCursorMissing, event.AfterSeq(6), storetest.Batch(event.AfterSeq(11), 12))
			})
		})
	}
}

// Fault table, stream deleted right after Redis lost writes (G1, G7): a writer that has
// just gone back knows of no entry itself, but the side key does, and goes on to.
func TestStartStreamVanishesBehindARollback(t *testing.T) {
	t.Parallel()
	for _, dies := range []bool{false, true} { // the writer, once it has stored a position
		redistest.Each(t, func(t *testing.T, server *redistest.Server) {
			k := newKit(t, server)
			w, _ := k.open()
			k.must(w, storetest.Run(storetest.Live, 1, 9))
			k.noted(w, 9)
			k.rollBack(keyspace.DefaultCursor, 6)
			k.moved(w, event.AlarmRollback, event.AfterSeq(6), storetest.Batch(event.AfterSeq(11), 12))
			if dies {
				k.must(w, storetest.Watermark(event.AfterSeq(6), 7))
			}
			k.Do("del", keyspace.DefaultStream)
			if dies {
				var told []*event.Moved
				w, _, told = k.start()
				k.tells(told, event.AlarmCursorMissing, "1 to 7")
			} else {
				k.moved(w, event.AlarmCursorMissing, event.Behind(0), storetest.Batch(event.AfterSeq(6), 7))
			}
			k.must(w, storetest.Run(event.Behind(0), 1, 12))
			k.wantRun(1, 12)
		})
	}
}

// Fault table, stream deleted under a writer that stores with room for groups, or waits
// for some (block): it is noticed and read again as elsewhere (G1, G7).
func TestStartStreamVanishesWhileItIsFull(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		for _, restarts := range []bool{false, true} {
			k := newKit(t, server)
			k.Do("flushall")
			full := blocking(100, time.Hour)
			w, _ := k.open(full)
			k.must(w, storetest.Run(storetest.Live, 1, 10))
			k.group("one", 4)
			k.noted(w, 10)
			last, stopped := k.feed(w, 12, 20)
			if stopped == nil {
				t.Fatalf("not full at seq %s", last)
			}
			k.Do("del", keyspace.DefaultStream)
			var told []*event.Moved
			if restarts {
				w, _, told = k.start(full)
			} else {
				_, told = k.settle(w)
			}
			if len(told) == 0 {
				told = append(told, k.moved(w, event.AlarmCursorMissing, event.AfterSeq(4), storetest.Run(event.AfterSeq(last), last+1, last+1)))
			}
			k.tells(told, event.AlarmCursorMissing, "seq 5 to")
			k.must(w, storetest.Run(event.AfterSeq(4), 5, 40))
			k.wantRun(5, 40)
		}
	})
}

// G7: where stream and cursor are gone at a start, what is read again is told with its
// range, up to where the side key says that the stream had come.
func TestStartBothVanishedTellsTheRange(t *testing.T) {
	t.Parallel()
	for groups, prepare := range map[string]func(*kit){"no group": func(*kit) {}, "one group": func(k *kit) { k.group("one", 4) }} {
		redistest.Each(t, func(t *testing.T, server *redistest.Server) {
			k := newKit(t, server)
			w, _ := k.open()
			k.must(w, storetest.Run(storetest.Live, 1, 9))
			prepare(k)
			k.noted(w, 9)
			k.Do("del", keyspace.DefaultStream, keyspace.DefaultCursor)
			w, at, told := k.start()
			first := event.Seq(1)
			if groups == "one group" {
				first = 5
			}
			k.tells(told, event.AlarmCursorMissing, fmt.Sprintf("seq %d to 11 is read again", first))
			if at.Position != event.Behind(first-1) {
				t.Errorf("%s: resume at %v", groups, at.Position)
			}
			k.must(w, storetest.Run(at.Position, first, 12))
			k.wantRun(first, 12)
		})
	}
}
