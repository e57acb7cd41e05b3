package redisstream

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// groupState is what a test does to a group between batches.
type groupState struct {
	name string
	read int64 // entries delivered after each batch
	ack  bool
}

// TestTrimCountsExactly runs batches against groups of every health and checks
// each receipt against what really went, entry by entry.
func TestTrimCountsExactly(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		groups []groupState
		size   int
	}{
		{"no groups", nil, 40},
		{"healthy", []groupState{{"fast", 1000, true}}, 40},
		{"healthy in hand", []groupState{{"fast", 1000, false}}, 40},
		{"slow", []groupState{{"slow", 17, true}}, 40},
		{"slow in hand", []groupState{{"slow", 17, false}}, 40},
		{"abandoned", []groupState{{"gone", 0, true}}, 40},
		{"healthy and abandoned", []groupState{{"fast", 1000, true}, {"gone", 0, true}}, 40},
		{"all at once", []groupState{{"fast", 1000, true}, {"hoarder", 1000, false}, {"slow", 31, true}, {"slower", 11, false}, {"gone", 0, true}}, 40},
		{"big entries, small nodes", []groupState{{"fast", 1000, true}, {"slow", 31, false}}, 900},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				w, _ := k.open(func(c *Config) { c.MaxLen = 150 })
				for _, g := range c.groups {
					k.Do("xgroup", "create", keyspace.DefaultStream, g.name, "0", "mkstream")
				}
				at, next := storetest.Live, event.Seq(1)
				lost := map[string]event.Trim{}
				var removed int
				for range 30 {
					b := &event.Batch{}
					b.Reset(at)
					for range 45 {
						b.Add(next, event.KindCommit, []byte(`"`+strings.Repeat("x", c.size)+`"`))
						next += 1 + next%3 // gaps are legal (Q1)
					}
					before := k.observe(c.groups)
					r := k.must(w, b)[0]
					at = event.AfterSeq(b.Upto)
					want, gone := before.lost(k.ids(), b, r)
					removed += gone
					if got := fmt.Sprint(byName(r.Trimmed)); got != fmt.Sprint(want) {
						t.Fatalf("at seq %d: got %v, want %v", b.Upto, got, want)
					}
					for name, trim := range want {
						sum := lost[name]
						lost[name] = event.Trim{Group: name, Unread: sum.Unread + trim.Unread, Pending: sum.Pending + trim.Pending,
							From: cmp.Or(sum.From, trim.From), To: trim.To}
					}
					k.consume(c.groups)
				}
				if removed == 0 {
					t.Fatal("nothing was trimmed")
				}
				for _, g := range c.groups {
					if _, found := lost[g.name]; found == (g.name == "fast" && g.ack) {
						t.Fatalf("group %s: lost %+v", g.name, lost[g.name])
					}
				}
				if n := len(k.ids()); n < 149 || n > 150+100 {
					t.Fatalf("stream keeps %d entries", n)
				}
				k.wantLedger(lost)
			})
		})
	}
}

// snapshot is the stream's ids and each group's state before a batch.
type snapshot struct {
	ids     []string
	seqs    []event.Seq
	last    map[string]string
	pending map[string]map[string]bool
}

func (k *kit) observe(groups []groupState) snapshot {
	k.T.Helper()
	s := snapshot{ids: k.ids(), seqs: k.stream(), last: map[string]string{}, pending: map[string]map[string]bool{}}
	if len(groups) == 0 {
		return s
	}
	infos, err := k.Client.XInfoGroups(k.Ctx(), keyspace.DefaultStream).Result()
	if err != nil {
		k.T.Fatal(err)
	}
	for _, g := range infos {
		s.last[g.Name], s.pending[g.Name] = g.LastDeliveredID, map[string]bool{}
		rows, err := k.Client.Do(k.Ctx(), "xpending", keyspace.DefaultStream, g.Name, "-", "+", 100000).Slice()
		if err != nil {
			k.T.Fatal(err)
		}
		for _, row := range rows {
			s.pending[g.Name][row.([]any)[0].(string)] = true
		}
	}
	return s
}

// lost compares with the ids that are left: the entries of before that are gone
// are what was removed, and what each group lost follows.
func (s snapshot) lost(left []string, b *event.Batch, r event.Receipt) (map[string]event.Trim, int) {
	kept := map[string]bool{}
	for _, id := range left {
		kept[id] = true
	}
	want, gone := map[string]event.Trim{}, 0
	for i, id := range s.ids {
		if kept[id] {
			break
		}
		gone = i + 1
	}
	for name, last := range s.last {
		trim := event.Trim{Group: name}
		for i, id := range s.ids[:gone] {
			if idLess(last, id) {
				trim.Unread++
			}
			if s.pending[name][id] {
				trim.Pending++
			}
			if idLess(last, id) || s.pending[name][id] {
				trim.From, trim.To = cmp.Or(trim.From, s.seqs[i]), s.seqs[i]
			}
		}
		if trim.Unread+trim.Pending > 0 {
			want[name] = trim
		}
	}
	return want, gone
}

// wantLedger checks that the lines of the ledger add up to what was lost (G7),
// in few lines, however many batches lost it.
func (k *kit) wantLedger(lost map[string]event.Trim) {
	k.T.Helper()
	rows, err := k.Client.XRange(k.Ctx(), keyspace.DefaultCursor+":losses", "-", "+").Result()
	if err != nil {
		k.T.Fatal(err)
	}
	got := map[string]event.Trim{}
	for _, row := range rows {
		number := func(name string) (n int64) {
			_, err := fmt.Sscan(row.Values[name].(string), &n)
			if err != nil {
				k.T.Fatalf("ledger line %v: %s: %v", row.Values, name, err)
			}
			return n
		}
		name := row.Values["group"].(string)
		sum := got[name]
		got[name] = event.Trim{Group: name, Unread: sum.Unread + number("unread"), Pending: sum.Pending + number("pending"),
			From: cmp.Or(sum.From, event.Seq(number("from"))), To: event.Seq(number("to"))}
	}
	if fmt.Sprint(got) != fmt.Sprint(lost) {
		k.T.Fatalf("the ledger says %v, lost were %v", got, lost)
	}
	if len(rows) > 2*len(lost) {
		k.T.Fatalf("%d lines for %d groups", len(rows), len(lost))
	}
}

func idLess(a, b string) bool {
	var am, as, bm, bs uint64
	fmt.Sscanf(a, "%d-%d", &am, &as)
	fmt.Sscanf(b, "%d-%d", &bm, &bs)
	return am < bm || am == bm && as < bs
}

func byName(trims []event.Trim) map[string]event.Trim {
	m := map[string]event.Trim{}
	for _, trim := range trims {
		m[trim.Group] = trim
	}
	return m
}

func (k *kit) consume(groups []groupState) {
	k.T.Helper()
	for _, g := range groups {
		if g.read == 0 {
			continue
		}
		read, err := k.Client.Do(k.Ctx(), "xreadgroup", "group", g.name, "c", "count", g.read, "streams", keyspace.DefaultStream, ">").Slice()
		if err != nil {
			k.T.Fatal(err)
		}
		for _, row := range read[0].([]any)[1].([]any) {
			if g.ack {
				k.Do("xack", keyspace.DefaultStream, g.name, row.([]any)[0])
			}
		}
	}
}

// TestTrimLoweredLimit: a much lower limit is reached in bounded steps, counted
// all the same.
func TestTrimLoweredLimit(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 1, 3000))
		k.Do("xgroup", "create", keyspace.DefaultStream, "slow", "0")
		k.Do("xreadgroup", "group", "slow", "c", "count", 500, "noack", "streams", keyspace.DefaultStream, ">")
		w, _ = k.open(func(c *Config) { c.MaxLen = 100 })
		var unread int64
		for seq := event.Seq(3001); seq <= 3010; seq++ {
			for _, trim := range k.must(w, storetest.Run(event.AfterSeq(seq-1), seq, seq))[0].Trimmed {
				unread += trim.Unread
			}
		}
		left := int64(len(k.ids()))
		if want := 3010 - 500 - left; left > 250 || unread != want {
			t.Fatalf("%d entries left, %d counted unread, want %d", left, unread, want)
		}
	})
}
