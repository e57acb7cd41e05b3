package replay

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/pipeline/follow/followtest"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// E6: an event time says nothing for sure.
func TestReplaySpeedPassesOverTimesThatCannotBe(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := pacer{speed: 2}
	p.due(at)
	for _, each := range []time.Time{at.AddDate(1, 0, 0), at.Add(10 * time.Second), {}, at.Add(5 * time.Second), at.Add(20 * time.Second)} {
		p.due(each)
	}
	if p.offset != 10*time.Second {
		t.Errorf("the clock of the events stands at %v, want 10s: outliers count nothing, steps back count", p.offset)
	}
	if wait := p.due(at.Add(40 * time.Second)); wait < 14*time.Second || wait > 15*time.Second {
		t.Errorf("waits %v for what comes 30 s after the first, at 2x", wait)
	}
}

func TestReplayRateIsKeptOverTime(t *testing.T) {
	p := pacer{rate: 10}
	for range 5 {
		p.due(time.Time{})
	}
	if wait := p.due(time.Time{}); wait < 400*time.Millisecond || wait > 500*time.Millisecond {
		t.Errorf("the sixth event at 10/s waits %v", wait)
	}
}

func stored(id, typ, data string, seq event.Seq) reader.Stored {
	return reader.Stored{ID: reader.ID(id), Fields: []string{"type", typ, "data", data, "seq", seq.String()}}
}

// What a filter leaves of an entry stays byte for byte.
func TestReplayFiltersEntries(t *testing.T) {
	const did = "did:plc:aaaabbbbccccddddeeeeffff"
	post := `{"action":"create","path":"app.bsky.feed.post/3k","cid":"b","record":{"text":"}], \"ops\":[", "n": 1.50}}`
	like := `{ "path":"app.bsky.feed.like/3l", "action":"delete" }`
	data := func(ops ...string) string {
		return `{"repo":"` + did + `", "ops" : [` + strings.Join(ops, ",") + `] ,"extra":1}`
	}
	for name, test := range map[string]struct {
		cfg     filter.Config
		actions []string
		in      reader.Stored
		v       verdict
		data    string
	}{
		"nothing to do":        {filter.Config{}, nil, stored("1-0", "commit", "not JSON", 1), deliver, "not JSON"},
		"all ops wanted":       {filter.Config{Collections: []string{"app.bsky.*"}}, nil, stored("1-0", "commit", data(post, like), 1), deliver, data(post, like)},
		"one op wanted":        {filter.Config{Collections: []string{"app.bsky.feed.like"}}, nil, stored("1-0", "commit", data(post, like, post), 1), deliver, data(like)},
		"last op wanted":       {filter.Config{}, []string{"create"}, stored("1-0", "commit", data(like, post), 1), deliver, data(post)},
		"one op of many":       {filter.Config{Collections: []string{"app.bsky.feed.post"}}, nil, stored("1-0", "commit", data(append(slices.Repeat([]string{like}, 300), post)...), 1), deliver, data(post)},
		"no op wanted":         {filter.Config{Collections: []string{"a.b.c"}}, nil, stored("1-0", "commit", data(post), 1), unwanted, ""},
		"another account":      {filter.Config{DIDs: []string{"did:plc:zzz"}}, nil, stored("1-0", "commit", data(post), 1), unwanted, ""},
		"another kind":         {filter.Config{Kinds: []string{"account"}}, nil, stored("1-0", "commit", data(post), 1), unwanted, ""},
		"accounts pass":        {filter.Config{Collections: []string{"a.b.c"}}, []string{"create"}, stored("1-0", "account", `{"did":"x","active":true}`, 1), deliver, `{"did":"x","active":true}`},
		"unreadable, filtered": {filter.Config{DIDs: []string{did}}, nil, stored("1-0", "commit", "not JSON", 1), broken, ""},
	} {
		t.Run(name, func(t *testing.T) {
			test.cfg.Actions = test.actions
			keep, err := filter.New(test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			choose := chooser{Selection: Selection{Filter: keep}}
			var e Selected
			v, _ := choose.stored(test.in, &e)
			if v != test.v || v == deliver && e.Data != test.data {
				t.Errorf("verdict %d, data %s; want %d, %s", v, e.Data, test.v, test.data)
			}
		})
	}
}

// A time is a place in a recording only if most events agree.
func TestReplayTimeRangeSurvivesOneWrongClock(t *testing.T) {
	base := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	sel := chooser{Selection: Selection{Until: place.Place{Kind: place.Time, Time: base}}}
	if v := sel.place(1, base.AddDate(1, 0, 0)); v != outside {
		t.Errorf("one event of next year: %d", v)
	}
	if v := sel.place(2, base); v != deliver {
		t.Errorf("the event after it: %d", v)
	}
	var v verdict
	for i := range beyondRun {
		v = sel.place(event.Seq(3+i), base.Add(time.Second))
	}
	if v != beyond {
		t.Errorf("after %d events behind the end: %d", beyondRun, v)
	}
}

// Frames that only one client asked for do not disturb the other, and filters
// hold for every client.
func TestReplayServesASelection(t *testing.T) {
	t.Parallel()
	log := relayserver.NewMemoryLog(0)
	frames, _ := followtest.SimFrames(t, 200)
	for _, f := range frames {
		seq, _ := frame.PeekSeq(f.Data)
		if err := log.Append(seq, f.Data); err != nil {
			t.Fatal(err)
		}
	}
	log.End()
	keep, err := filter.New(filter.Config{Collections: []string{"app.bsky.feed.like"}})
	if err != nil {
		t.Fatal(err)
	}
	sel := Selection{Filter: keep}
	first, _ := log.Bounds()
	sel.From, sel.Until = place.Place{Kind: place.Seq, Seq: first + 20}, place.Place{Kind: place.Seq, Seq: first + 150}
	served := SelectLog(log, sel)
	var _ relayserver.Log = served
	if oldest, newest := served.Bounds(); oldest != sel.From.Seq || newest != sel.Until.Seq {
		t.Errorf("bounds %s to %s", oldest, newest)
	}
	want := likesAndMore(t, log, sel.From.Seq, sel.Until.Seq)
	var got []event.Seq
	for after := event.Seq(0); ; {
		seq, _, err := served.Next(t.Context(), after)
		if err != nil {
			break
		}
		got, after = append(got, seq), seq
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("served %v, want %v", got, want)
	}
}

// likesAndMore is the seqs of a range that are no commits, or commits with likes.
func likesAndMore(t *testing.T, log relayserver.Log, from, until event.Seq) (seqs []event.Seq) {
	t.Helper()
	var decoder frame.Decoder
	var e event.Event
	for after := from - 1; after < until; {
		seq, data, err := log.Next(t.Context(), after)
		if err == nil {
			err = decoder.Decode(data, &e)
		}
		if err != nil {
			t.Fatal(err)
		}
		after = seq
		like := func(op event.Op) bool { return bytes.HasPrefix(op.Path, []byte("app.bsky.feed.like/")) }
		if e.Kind != event.KindCommit || slices.ContainsFunc(e.Commit.Ops, like) {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// A read that is under way when all that was asked for has been played ends with
// its context; that is no failure, any other end is.
func TestCutOffOnPurposeIsNoFailure(t *testing.T) {
	for _, cause := range []error{errPlayed, errors.New("interrupted")} {
		ctx, stop := context.WithCancelCause(t.Context())
		stop(cause)
		r := newRun(cutOff{}, Discard{}, Options{})
		r.read(ctx)
		if failed := r.readErr != nil; failed != (cause != errPlayed) {
			t.Errorf("%v: reading ends with %v", cause, r.readErr)
		}
	}
}

// cutOff is a source that waits for its context.
type cutOff struct{ Source }

func (cutOff) Nature() Nature { return Nature{} }

func (cutOff) Pieces(ctx context.Context, _ event.Seq) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		<-ctx.Done()
		yield(Piece{}, ctx.Err())
	}
}
