package redisstream

import (
	"errors"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redistest"
)

const sideKey = keyspace.DefaultCursor + ":meta"

// resume asks again where to begin; it must succeed.
func (k *kit) resume(w *Writer) event.Resume {
	k.T.Helper()
	at, err := w.Resume(k.Ctx())
	if err != nil {
		k.T.Fatalf("resume: %v (hint: %s)", err, fault.HintOf(err))
	}
	return at
}

func filtered(name string) func(*Config) {
	return func(c *Config) { c.Identity.Filter = name }
}

// I9: filters changed on purpose in a running process take the cursor with
// them, by compare-and-set: the number and the last event's time stay, the
// epoch rises, and a writer with the former filters is refused.
func TestRefilterTakesTheCursorAlong(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open(filtered("old"))
		k.must(w, storetest.Batch(storetest.Live, 1, 2, 3))
		other, _ := k.open(filtered("old"))
		before := k.Get(sideKey)

		w.Refilter("new")
		if k.Get(sideKey) != before {
			t.Error("Refilter itself must change nothing stored")
		}
		if at := k.resume(w); at.Position != event.AfterSeq(3) || at.Time != "2026-01-02T03:04:05Z" {
			t.Fatalf("resumes at %+v; before: %s", at, before)
		}
		after := k.Get(sideKey)
		if !strings.Contains(after, `"filter":"new"`) || !strings.Contains(after, `"epoch":1`) || !strings.Contains(after, `"upto":3`) {
			t.Errorf("side key %s, before %s", after, before)
		}
		k.must(w, storetest.Batch(event.AfterSeq(3), 4))
		if _, err := other.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.AfterSeq(3), 4)}); fault.ClassOf(err) != fault.Cursor {
			t.Errorf("the writer with the former filters: %v", err)
		}
		k.want(4, 1, 2, 3, 4)
	})
}

// A standby that is reloaded after its leader finds its new filters in place;
// reloaded twice, back and forth, it has what it was given last.
func TestRefilterFindsItsFiltersInPlace(t *testing.T) {
	k := newKit(t, redistest.Start(t))
	first, _ := k.open(filtered("old"))
	k.must(first, storetest.Batch(storetest.Live, 1))
	second, _ := k.open(filtered("old"))
	first.Refilter("new")
	k.resume(first)
	side := k.Get(sideKey)
	second.Refilter("new")
	k.resume(second)
	if k.Get(sideKey) != side {
		t.Errorf("side key %s, want %s untouched", k.Get(sideKey), side)
	}
	second.Refilter("old")
	second.Refilter("new")
	k.resume(second)
	k.must(second, storetest.Batch(event.AfterSeq(1), 2))
}

// I9: a standby may be the one that is reloaded, while the leader stores without a
// pause. The filters change behind whatever that stored last, in one try.
func TestRefilterUnderAWriterThatStores(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		for range 10 {
			k.Do("flushall")
			busy, _ := k.open(filtered("old"))
			k.must(busy, storetest.Batch(storetest.Live, 1))
			w, _ := k.open(filtered("old"))
			refused := make(chan error, 1)
			go func() {
				for seq := event.Seq(1); ; seq++ {
					if _, err := busy.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.AfterSeq(seq), seq+1)}); err != nil {
						refused <- err
						return
					}
				}
			}()
			w.Refilter("new")
			at, err := w.Resume(k.Ctx())
			if err != nil {
				k.Do("del", keyspace.DefaultCursor, sideKey) // ends the other one, too
				<-refused
				t.Fatal(err)
			}
			storetest.WantErr(t, <-refused, fault.Cursor)
			side, _ := script.ParseSide([]byte(k.Get(sideKey)))
			if side.Filter != "new" || event.Seq(side.Upto) != at.Position.Seq || side.Stored != side.Upto || side.Epoch != 1 {
				t.Errorf("side key %+v, resumes at %v", side, at.Position)
			}
			k.must(w, storetest.Batch(at.Position, at.Position.Seq+1))
			k.wantRun(1, at.Position.Seq+1)
		}
	})
}

// Filters that somebody else chose are not replaced.
func TestRefilterReplacesOnlyItsOwn(t *testing.T) {
	k := newKit(t, redistest.Start(t))
	w, _ := k.open(filtered("old"))
	k.must(w, storetest.Batch(storetest.Live, 1))
	k.Set(sideKey, strings.Replace(k.Get(sideKey), `"old"`, `"theirs"`, 1))
	w.Refilter("new")
	if _, err := w.Resume(k.Ctx()); fault.ClassOf(err) != fault.Cursor {
		t.Errorf("Resume: %v, want a refusal", err)
	}
	if !strings.Contains(k.Get(sideKey), `"theirs"`) {
		t.Errorf("side key %s", k.Get(sideKey))
	}
}

// I10: a cursor that vanished before a second Resume is restored, never live;
// the filters follow it.
func TestResumeAgainRestoresTheCursor(t *testing.T) {
	k := newKit(t, redistest.Start(t))
	w, _ := k.open(filtered("old"))
	k.must(w, storetest.Batch(storetest.Live, 1, 2))
	k.Do("DEL", keyspace.DefaultCursor)
	w.Refilter("new")
	_, err := w.Resume(k.Ctx())
	var moved *event.Moved
	if !errors.As(err, &moved) || moved.Alarm != event.AlarmCursorMissing || moved.To != event.AfterSeq(2) {
		t.Fatalf("Resume: %v", err)
	}
	if at := k.resume(w); at.Position != event.AfterSeq(2) {
		t.Errorf("asked again: %v", at.Position)
	}
	k.must(w, storetest.Batch(event.AfterSeq(2), 3))
	k.want(3, 1, 2, 3)
}
