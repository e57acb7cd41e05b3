package redisstream

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// member opens a writer that takes part in the lease.
func (k *kit) member(name string, change ...func(*Config)) *Writer {
	k.T.Helper()
	w, _ := k.open(append(change, func(c *Config) { c.Writer = "fhctl/" + name })...)
	return w
}

// leads asks, and expects the lead without further news.
func (k *kit) leads(w *Writer) {
	k.T.Helper()
	lead, err := w.Lead(k.Ctx())
	if err != nil || !lead.Leading {
		k.T.Fatalf("lead: %+v, %v", lead, err)
	}
}

// standsBy asks, and expects that another leads.
func (k *kit) standsBy(w *Writer, by string, cursor event.Seq) {
	k.T.Helper()
	lead, err := w.Lead(k.Ctx())
	if err != nil || lead.Leading || lead.By != "fhctl/"+by || lead.Cursor != cursor {
		k.T.Fatalf("lead: %+v, %v; want %s leading at %d", lead, err, by, cursor)
	}
}

// refused commits and expects that another leads.
func (k *kit) refused(w *Writer, by string, batches ...*event.Batch) {
	k.T.Helper()
	receipts, err := w.Commit(k.Ctx(), batches)
	var led *event.Led
	if !errors.As(err, &led) || led.By != "fhctl/"+by || len(receipts) != 0 {
		k.T.Fatalf("commit: %v, %v; want to hear that %s leads", receipts, err, by)
	}
}

// expire ends the lease as time would.
func (k *kit) expire() { k.Do("del", keyspace.DefaultCursor+":lease") }

func TestLeaseOneLeads(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.leads(a)
		k.standsBy(b, "a", 0)
		k.must(a, storetest.Batch(storetest.Live, 1, 2))
		k.standsBy(b, "a", 2)
		// Compared with the cursor each of these would be stored.
		k.refused(b, "a", storetest.Batch(event.AfterSeq(2), 3))
		k.must(a, storetest.Batch(event.AfterSeq(2), 3))
		k.want(3, 1, 2, 3)
		if text := k.Get(keyspace.DefaultCursor + ":lease"); !strings.HasPrefix(text, "fhctl/a/") {
			t.Fatalf("the lease is %q", text)
		}
	})
}

// G2: who comes second to an empty Redis is refused as well, not told of a
// conflict.
func TestLeaseIsTakenByTheFirstBatch(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.must(a, storetest.Batch(storetest.Live, 7))
		k.refused(b, "a", storetest.Batch(storetest.Live, 8))
		k.want(7, 7)
		k.leads(a)
	})
}

// A leader that was paused returns to find another in its place (fencing).
func TestLeaseFencesOneThatWasPaused(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.must(a, storetest.Run(storetest.Live, 1, 5))
		k.standsBy(b, "a", 5)
		k.expire()
		k.leads(b)
		k.must(b, storetest.Run(event.AfterSeq(5), 6, 9))
		k.refused(a, "b", storetest.Batch(event.AfterSeq(5), 6), storetest.Batch(event.AfterSeq(6), 7))
		k.standsBy(a, "b", 9)
		k.must(b, storetest.Batch(event.AfterSeq(9), 10))
		k.wantRun(1, 10)
	})
}

// Correctness does not rest on the lease: whoever has lost it without knowing,
// and meets nobody, goes on; two that both believe to lead are still exact.
func TestLeaseLostToNobodyIsTakenAgain(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.must(a, storetest.Run(storetest.Live, 1, 5))
		k.expire()
		k.must(a, storetest.Run(event.AfterSeq(5), 6, 7))
		k.standsBy(b, "a", 7)
		k.expire()
		got := k.must(b, storetest.Run(event.AfterSeq(5), 6, 9))
		if got[0].Present != 2 || got[0].Appended != 2 {
			t.Fatalf("receipt %+v", got[0])
		}
		k.expire()
		k.must(a, storetest.Run(event.AfterSeq(7), 8, 12))
		k.wantRun(1, 12)
	})
}

func TestLeaseExpires(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.leads(a)
		left, err := k.Client.PTTL(k.Ctx(), keyspace.DefaultCursor+":lease").Result()
		if err != nil || left <= 0 || left > lease.Lasts {
			t.Fatalf("the lease ends in %v (%v)", left, err)
		}
		storetest.Eventually(t, "the lease to run out", func() bool {
			lead, err := b.Lead(k.Ctx())
			storetest.Must(t, err)
			return lead.Leading
		})
		k.refused(a, "b", storetest.Batch(storetest.Live, 1))
	})
}

// One that died on the same machine need not be waited for; one that is alive, or
// was somewhere else, is.
func TestLeaseOfTheDeadIsTakenAtOnce(t *testing.T) {
	_, here, _ := strings.Cut(lease.New("fhctl/x").ID, "@")
	if here == "" {
		t.Skip("needs to know which processes there are")
	}
	gone := exec.Command(os.Args[0], "-test.run=^$")
	storetest.Must(t, gone.Start())
	zombie := gone.Process.Pid
	storetest.Eventually(t, "a process to end", func() bool { return lease.Dead(fmt.Sprintf("fhctl/a/x/%d@%s", zombie, here)) })
	k := newKit(t, redistest.Start(t))
	b := k.member("b")
	for name, c := range map[string]struct {
		id   string
		dead bool
	}{
		"not waited for by its parent": {fmt.Sprintf("fhctl/a/x/%d@%s", zombie, here), true},
		"no such process":              {"fhctl/a/x/2147483647@" + here, true},
		"alive":                        {fmt.Sprintf("fhctl/a/x/%d@%s", os.Getppid(), here), false},
		"elsewhere":                    {"fhctl/a/x/2147483647@other", false},
		"not told where":               {"fhctl/a/x/2147483647@", false},
		"another id altogether":        {"fhctl/a/", false},
		"pid 0":                        {"fhctl/a/x/0@" + here, false},
	} {
		k.Set(keyspace.DefaultCursor+":lease", c.id)
		lead, err := b.Lead(k.Ctx())
		if err != nil || lead.Leading != c.dead {
			t.Errorf("%s: %+v, %v", name, lead, err)
		}
		b.lease.Take(lease.GivenBack)
	}
	storetest.Must(t, gone.Wait())
}

// An expiry is a moment of Redis's clock: set back by an hour, a lease lasts that
// much longer. Who stands by goes by a clock of its own, and takes nothing from a
// leader that lives, be it busy or idle.
func TestLeaseWhenRedisClockIsSetBack(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		setBack := func() { k.Do("pexpire", keyspace.DefaultCursor+":lease", 3_600_000) }
		later := func() { pass(b, lease.FrozenAfter) }
		k.must(a, storetest.Run(storetest.Live, 1, 5))
		setBack()
		k.standsBy(b, "a", 5)
		later()
		k.must(a, storetest.Batch(event.AfterSeq(5), 6))
		k.standsBy(b, "a", 6)
		later()
		pass(a, lease.RenewEach)
		k.leads(a) // idle: renews
		k.standsBy(b, "a", 6)
		setBack()
		k.standsBy(b, "a", 6)
		later()
		k.leads(b)
		k.must(b, storetest.Batch(event.AfterSeq(6), 7))
		k.refused(a, "b", storetest.Batch(event.AfterSeq(6), 7))
		k.wantRun(1, 7)
	})
}

// The lease of a version that counted nothing is believed as long as it is there.
func TestLeaseOfAnOlderVersion(t *testing.T) {
	k := newKit(t, redistest.Start(t))
	b := k.member("b")
	k.Set(keyspace.DefaultCursor+":lease", "fhctl/a/x/7@elsewhere")
	k.standsBy(b, "a", 0)
	pass(b, time.Hour)
	k.standsBy(b, "a", 0)
}

// An idle leader renews, and one that stores does not ask besides.
func TestLeaseIsRenewedWhenIdle(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a := k.member("a")
		k.must(a, storetest.Batch(storetest.Live, 1))
		k.expire()
		k.leads(a) // fresh from the batch: Redis is not asked
		if k.Get(keyspace.DefaultCursor+":lease") != "" {
			t.Fatal("asked without need")
		}
		pass(a, lease.RenewEach)
		k.leads(a)
		if k.Get(keyspace.DefaultCursor+":lease") == "" {
			t.Fatal("not renewed")
		}
		b := k.member("b")
		k.expire()
		k.leads(b)
		pass(a, lease.RenewEach)
		var led *event.Led
		if _, err := a.Lead(k.Ctx()); !errors.As(err, &led) {
			t.Fatalf("a leader that lost its lease hears %v", err)
		}
		k.standsBy(a, "b", 1)
	})
}

func TestLeaseIsGivenBackByClose(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b, c := k.member("a"), k.member("b"), k.member("c")
		k.must(a, storetest.Batch(storetest.Live, 1))
		k.standsBy(b, "a", 1)
		storetest.Must(t, b.Close()) // gives nothing back that is not its own
		k.standsBy(c, "a", 1)
		storetest.Must(t, a.Close())
		k.leads(c)
		k.must(c, storetest.Batch(event.AfterSeq(1), 2))
		k.want(2, 1, 2)
	})
}

// Without a name a Writer heeds no lease, as replay does on streams of its own.
func TestLeaseIsNoConcernOfWritersWithoutName(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a := k.member("a")
		k.must(a, storetest.Batch(storetest.Live, 1))
		b, _ := k.open()
		k.leads(b)
		k.must(b, storetest.Batch(event.AfterSeq(1), 2))
		k.must(a, storetest.Batch(event.AfterSeq(1), 2, 3))
		k.want(3, 1, 2, 3)
	})
}

// What only an operator can decide comes before the lease.
func TestLeaseComesAfterBadCursorAndMismatch(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.must(a, storetest.Batch(storetest.Live, 1))
		other, err := Open(k.Ctx(), k.config(func(c *Config) { c.Writer, c.Identity.Filter = "fhctl/c", "abc" }))
		storetest.Must(t, err)
		defer other.Close()
		_, err = other.Resume(k.Ctx())
		storetest.WantErr(t, err, fault.Cursor)
		_, err = other.Lead(k.Ctx())
		storetest.WantErr(t, err, fault.Cursor)
		for _, garbage := range []string{"12x", "9999999999999999"} {
			k.Set(keyspace.DefaultCursor, garbage)
			_, err = b.Lead(k.Ctx())
			storetest.WantErr(t, err, fault.Cursor)
			_, err = b.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.AfterSeq(1), 2)})
			storetest.WantErr(t, err, fault.Cursor)
		}
		k.Do("del", keyspace.DefaultCursor)
		k.Do("hset", keyspace.DefaultCursor, "a", "b")
		_, err = b.Lead(k.Ctx())
		storetest.WantErr(t, err, fault.Cursor)
	})
}

// An operator's move is the leader's to notice; a standby takes over behind it,
// and with what it was once asked to begin from over.
func TestLeaseAndAnOperatorsMove(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a := k.member("a")
		k.must(a, storetest.Run(storetest.Live, 1, 9))
		b := k.member("b", func(c *Config) { c.From = From{Requested: true} }) // live
		k.standsBy(b, "a", 9)
		k.must(a, storetest.Run(event.AfterSeq(9), 10, 12))
		k.standsBy(b, "a", 12)
		storetest.Must(t, a.Rebase(k.Ctx(), 4))
		k.standsBy(b, "a", 4)
		k.expire()
		k.leads(b)
		at, err := b.Resume(k.Ctx())
		storetest.Must(t, err)
		if at.Position != event.AfterSeq(4) {
			t.Fatalf("took over at %s", at.Position)
		}
		k.must(b, storetest.Run(event.AfterSeq(4), 5, 6))
		k.want(6, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 5, 6)
	})
}

// G4, G7: Redis forgets the lease with the rest, and the standby may be the
// first to ask: it notices what the former leader would have.
func TestLeaseTakenAfterARollback(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.must(a, storetest.Run(storetest.Live, 1, 9))
		k.standsBy(b, "a", 9)
		k.expire()
		k.rollBack(keyspace.DefaultCursor, 4)
		_, err := b.Lead(k.Ctx())
		var moved *event.Moved
		if !errors.As(err, &moved) || moved.Alarm != event.AlarmRollback || moved.To != event.AfterSeq(4) {
			t.Fatalf("lead: %v", err)
		}
		k.leads(b)
		k.refused(a, "b", storetest.Batch(event.AfterSeq(9), 10))
	})
}

// A cursor that vanishes is never "live", for whoever finds it.
func TestLeaseTakenAfterFlushAll(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.must(a, storetest.Run(storetest.Live, 1, 9))
		k.Do("xgroup", "create", keyspace.DefaultStream, "slow", "0")
		k.Do("xreadgroup", "group", "slow", "c", "count", "6", "streams", keyspace.DefaultStream, ">")
		for _, id := range k.ids()[:3] {
			k.Do("xack", keyspace.DefaultStream, "slow", id)
		}
		k.standsBy(b, "a", 9)
		k.Do("flushall")
		_, err := b.Lead(k.Ctx())
		var moved *event.Moved
		if !errors.As(err, &moved) || moved.Alarm != event.AlarmCursorMissing || moved.To != event.AfterSeq(3) {
			t.Fatalf("lead: %v", err)
		}
		k.refused(a, "b", storetest.Batch(event.AfterSeq(9), 10))
		k.must(b, storetest.Run(event.AfterSeq(3), 4, 10))
		k.wantRun(4, 10)
	})
}

// So is one whose stream began and vanished within moments: whoever stood by from
// before the first entry goes back to that, not to where it last heard the leader.
func TestLeaseTakenAfterAYoungStreamVanished(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.leads(a)
		k.standsBy(b, "a", 0)
		k.must(a, storetest.Run(storetest.Live, 11, 15))
		k.standsBy(b, "a", 15)
		k.Do("flushall")
		_, err := b.Lead(k.Ctx())
		var moved *event.Moved
		if !errors.As(err, &moved) || moved.Alarm != event.AlarmCursorMissing || moved.To != event.AfterSeq(10) {
			t.Fatalf("lead: %v", err)
		}
	})
}

// A cursor that is gone while another leads is the leader's to restore.
func TestLeaseWhileTheCursorIsGone(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.must(a, storetest.Run(storetest.Live, 1, 3))
		k.standsBy(b, "a", 3)
		k.Do("del", keyspace.DefaultCursor)
		k.refused(b, "a", storetest.Batch(event.AfterSeq(3), 4))
		k.standsBy(b, "a", 3)
		k.moved(a, event.AlarmCursorMissing, event.AfterSeq(3), storetest.Batch(event.AfterSeq(3), 4))
		k.want(3, 1, 2, 3)
	})
}

// The side key lost alone does not end one that stands by.
func TestLeaseWhileTheSideKeyIsGone(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.must(a, storetest.Run(storetest.Live, 1, 3))
		k.standsBy(b, "a", 3)
		k.Do("del", keyspace.DefaultCursor+":meta")
		_, err := b.Lead(k.Ctx())
		var moved *event.Moved
		if !errors.As(err, &moved) || moved.To != event.AfterSeq(3) {
			t.Fatalf("lead: %v", err)
		}
		k.standsBy(b, "a", 3)
		k.must(a, storetest.Batch(event.AfterSeq(3), 4))
		k.want(4, 1, 2, 3, 4)
	})
}

// An idle leader whose Redis hangs is not held up by renewing.
func TestLeaseRenewalDoesNotWait(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	k := newKit(t, redistest.Start(t))
	a := k.member("a")
	k.leads(a)
	k.Server.Pause()
	pass(a, lease.RenewEach)
	k.leads(a)
	k.Server.Continue()
	if told := k.told(); len(told) != 1 || told[0].Up || told[0].Cause != "timeout" {
		t.Fatalf("observers heard of it: %+v", told)
	}
	pass(a, lease.RenewEach)
	k.must(a, storetest.Batch(storetest.Live, 1))
}

func TestLeaseOfTheWrongTypeIsNamed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a := k.member("a")
		k.Do("hset", keyspace.DefaultCursor+":lease", "a", "b")
		_, err := a.Commit(k.Ctx(), []*event.Batch{storetest.Batch(storetest.Live, 1)})
		storetest.WantErr(t, err, fault.Data)
		_, err = Open(k.Ctx(), k.config())
		storetest.WantErr(t, err, fault.Data)
		if !strings.Contains(err.Error(), ":lease") {
			t.Fatal(err)
		}
	})
}

// A user whose rights name each key, as they were before there was a lease.
func TestLeaseKeyMissingInRightsIsNamed(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	k.Do("acl", "setuser", "fh", "on", ">pw", "~"+keyspace.DefaultStream, "~"+keyspace.DefaultCursor, "~"+keyspace.DefaultCursor+":meta", "+@all")
	_, err := Open(k.Ctx(), k.config(k.asUser("fh", "pw")))
	storetest.WantErr(t, err, fault.Refused)
	if !strings.Contains(err.Error(), "get "+keyspace.DefaultCursor+":lease") || !strings.Contains(err.Error(), "set "+keyspace.DefaultCursor+":lease") {
		t.Fatal(err)
	}
}

// G4 while the relay is quiet: a leader with nothing to store still notices
// that what it stored is gone, that the cursor is, or that it was moved.
func TestLeaderWithNothingToStoreNotices(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		for name, c := range map[string]struct {
			harm  func(k *kit)
			alarm event.Alarm
			to    event.Seq
		}{
			"rollback": {func(k *kit) { k.rollBack(keyspace.DefaultCursor, 2) }, event.AlarmRollback, 2},
			"missing":  {func(k *kit) { k.Do("del", keyspace.DefaultCursor) }, event.AlarmCursorMissing, 5},
			"moved": {func(k *kit) {
				k.Set(keyspace.DefaultCursor, "9")
				k.Set(keyspace.DefaultCursor+":meta", `{"relay":"relay.example","filter":"","partitions":1,"epoch":1}`)
			}, event.AlarmConflict, 9},
		} {
			t.Run(name, func(t *testing.T) {
				k := newKit(t, server)
				k.Do("flushall")
				w, at := k.open(func(c *Config) { c.Writer = "quiet" })
				k.must(w, storetest.Run(at.Position, 1, 5))
				c.harm(k)
				var moved *event.Moved
				storetest.Eventually(t, "the leader to notice", func() bool {
					_, err := w.Lead(k.Ctx())
					return errors.As(err, &moved)
				})
				if moved.Alarm != c.alarm || moved.To != event.AfterSeq(c.to) {
					t.Errorf("noticed %s to %s (%s)", moved.Alarm, moved.To, moved.Detail)
				}
			})
		}
	})
}

// A Redis that stops answering while there is nothing to store is told as well,
// once in the log, and so is its return.
func TestLeaseRenewalTellsOfAnOutage(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		proxy := redistest.NewProxy(t, server.Addr())
		w, _ := k.open(func(c *Config) { c.URL, c.Writer = proxy.URL(), "fhctl/test" })
		k.must(w, storetest.Batch(storetest.Live, 1))
		proxy.Refuse(true)
		proxy.Cut()
		storetest.Eventually(t, "word of the outage", func() bool {
			_, err := w.Lead(k.Ctx())
			storetest.Must(t, err)
			told := k.told()
			return len(told) > 1 && !told[len(told)-1].Up && told[len(told)-1].Cause == "connection"
		})
		proxy.Refuse(false)
		storetest.Eventually(t, "word of its end", func() bool {
			_, err := w.Lead(k.Ctx())
			storetest.Must(t, err)
			return k.told()[len(k.told())-1].Up
		})
		if n := strings.Count(k.Logged.String(), "not available; waiting"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, k.Logged)
		}
	})
}

// A side key that vanishes under a standby while the leader moves on does not
// end it: the leader writes it again. If nobody does, the cursor is a stranger's.
func TestLeaseSideKeyVanished(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.leads(a)
		k.must(a, storetest.Batch(storetest.Live, 5, 6))
		k.standsBy(b, "a", 6)
		k.must(a, storetest.Batch(event.AfterSeq(6), 7)) // news to b
		k.Do("del", keyspace.DefaultCursor+":meta")
		if l, err := b.Lead(k.Ctx()); err != nil || l.Leading {
			t.Fatalf("lead: %+v, %v", l, err)
		}
		k.moved(a, event.AlarmCursorMissing, event.AfterSeq(7), storetest.Batch(event.AfterSeq(7), 8))
		k.must(a, storetest.Batch(event.AfterSeq(7), 8))
		k.standsBy(b, "a", 8)
		k.want(8, 5, 6, 7, 8)

		k.must(a, storetest.Batch(event.AfterSeq(8), 9))
		k.Do("del", keyspace.DefaultCursor+":meta")
		if l, err := b.Lead(k.Ctx()); err != nil || l.Leading {
			t.Fatalf("lead: %+v, %v", l, err)
		}
		pass(b, 3*lease.Lasts)
		_, err := b.Lead(k.Ctx())
		storetest.WantErr(t, err, fault.Cursor)
	})
}

// A standby tells that the leader's cursor went back, too: the leader may be
// dead, and its lease as old as the rest.
func TestLeaseStandbyTellsOfARollback(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.leads(a)
		k.must(a, storetest.Run(storetest.Live, 1, 9))
		k.standsBy(b, "a", 9)
		k.rollBack(keyspace.DefaultCursor, 4)
		var moved *event.Moved
		if _, err := b.Lead(k.Ctx()); !errors.As(err, &moved) || moved.Alarm != event.AlarmRollback || moved.To != event.AfterSeq(4) {
			t.Fatalf("lead: %v", err)
		}
		k.standsBy(b, "a", 4)
	})
}

// A rollback that brings a dead leader's lease back is told, although no batch
// of ours met the cursor: it was led away before.
func TestLeaseRollbackBringsADeadLeaderBack(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a := k.member("a")
		k.leads(a)
		k.must(a, storetest.Run(storetest.Live, 1, 9))
		k.rollBack(keyspace.DefaultCursor, 4)
		k.Set(keyspace.DefaultCursor+":lease", "dead/0")
		_, err := a.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.AfterSeq(9), 10)})
		var led *event.Led
		if !errors.As(err, &led) {
			t.Fatalf("commit: %v", err)
		}
		var moved *event.Moved
		if _, err = a.Resume(k.Ctx()); !errors.As(err, &moved) || moved.Alarm != event.AlarmRollback || moved.To != event.AfterSeq(4) {
			t.Fatalf("resume: %v", err)
		}
		if at, err := a.Resume(k.Ctx()); err != nil || at.Position != event.AfterSeq(4) {
			t.Fatalf("resume again: %+v, %v", at, err)
		}
	})
}

// A process that starts while the side key is missing does not take the cursor for
// a stranger's as long as somebody leads, who writes the key again. Without a
// leader it is refused at once.
func TestLeaseStartWhileTheSideKeyIsMissing(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		named := func(name string) func(*Config) { return func(c *Config) { c.Writer = name } }
		leader, _ := k.open(named("a"))
		k.must(leader, storetest.Run(storetest.Live, 1, 5))
		k.Do("del", keyspace.DefaultCursor+":meta")
		other, err := Open(k.Ctx(), k.config(named("b")))
		storetest.Must(t, err)
		t.Cleanup(func() { _ = other.Close() })
		started := make(chan error, 1)
		go func() {
			_, err := other.Resume(k.Ctx())
			started <- err
		}()
		select {
		case err := <-started:
			t.Fatalf("it does not wait for the leader: %v", err)
		case <-time.After(2 * lease.RenewEach / 5):
		}
		k.moved(leader, event.AlarmCursorMissing, event.AfterSeq(5), storetest.Run(event.AfterSeq(5), 6, 9))
		storetest.Must(t, <-started)

		k.Do("del", keyspace.DefaultCursor+":meta", keyspace.DefaultCursor+":lease")
		_, err = other.Resume(k.Ctx())
		storetest.WantErr(t, err, fault.Cursor)
	})
}

// pass lets time pass for what a writer knows of the lease.
func pass(w *Writer, d time.Duration) {
	clock := w.lease.Clock
	if clock == nil {
		clock = time.Now
	}
	w.lease.Clock = func() time.Time { return clock().Add(d) }
}
