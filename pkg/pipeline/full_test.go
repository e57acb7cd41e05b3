package pipeline_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// fullSink has no room for its second call, and says so until room is made;
// Resume waits, as a Redis sink does.
type fullSink struct {
	memorySink
	room chan struct{}
}

func (s *fullSink) Resume(ctx context.Context) (event.Resume, error) {
	if s.has {
		select {
		case <-s.room:
		case <-ctx.Done():
			return event.Resume{}, ctx.Err()
		}
	}
	return s.memorySink.Resume(ctx)
}

func fullSetup() (*setup, *fullSink) {
	sink := &fullSink{room: make(chan struct{})}
	open := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
		after(2000)(ctx, from, send)
		hangUpSeen(ctx) // as a relay does that has nothing to send yet
	}
	r := newSetup(open, after(3000))
	sink.before = func(call int, _ []*event.Batch) error {
		if call == 2 {
			return &event.Full{Detail: "group g is 600 entries behind"}
		}
		return nil
	}
	r.cfg.Sink, r.cfg.InFlight = sink, 1
	return r, sink
}

// G7, --when-full block: a full stream closes the connection, is an alarm once,
// and when there is room reading goes on behind what is stored, without loss.
func TestG7FullStreamStopsReadingUntilThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sink := fullSetup()
		done := make(chan error, 1)
		go func() { done <- pipeline.New(r.cfg).Run(t.Context()) }()
		time.Sleep(time.Hour)
		stored := len(sink.seqs())
		if stored == 0 || stored >= 2000 {
			t.Fatalf("%d stored while full", stored)
		}
		if n := r.relay.ended(); n != 1 {
			t.Fatalf("%d connections have ended, want the one that was open", n)
		}
		close(sink.room)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wantSeqs(t, &sink.memorySink, span(1, 3000))
		if asked := r.relay.positions(); len(asked) != 2 || asked[1] != event.AfterSeq(event.Seq(stored)) {
			t.Errorf("asked for %v with %d stored", asked, stored)
		}
		if n := r.seen.alarmed(event.AlarmFull); n != 1 {
			t.Errorf("%d alarms", n)
		}
	})
}

// G6: a stop while the stream is full is a clean one.
func TestG6StopWhileFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := fullSetup()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- pipeline.New(r.cfg).Run(ctx) }()
		time.Sleep(time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// G7: a group that begins to lose entries is an alarm; one that goes on losing
// is not one with every batch.
func TestG7LossIsAnAlarmWhenItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSetup(func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
			for seq := event.Seq(1); seq <= 30; seq++ {
				send(identity(seq))
				time.Sleep(10 * time.Second)
				if seq == 20 {
					time.Sleep(10 * time.Minute)
				}
			}
		})
		r.cfg.Sink = losingSink{r.sink}
		r.run(t)
		if n := r.seen.alarmed(event.AlarmTrimmed); n != 2 {
			t.Errorf("%d alarms, want one for each time it began", n)
		}
	})
}

// losingSink loses an entry of a group with every batch.
type losingSink struct{ *memorySink }

func (s losingSink) Commit(ctx context.Context, batches []*event.Batch) ([]event.Receipt, error) {
	receipts, err := s.memorySink.Commit(ctx, batches)
	for i := range receipts {
		receipts[i].Trimmed = []event.Trim{{Group: "g", Unread: 1, From: 1, To: 1}}
	}
	return receipts, err
}
