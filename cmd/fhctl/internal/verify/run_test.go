package verify

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/sim"
	"github.com/fhctl/fhctl/pkg/verify"
)

// Two streams that are being written are compared up to where both were at the
// start. What comes to one of them meanwhile is not missing in what was read.
func TestVerifyAgainstEndsWhereReadingBegan(t *testing.T) {
	redis := redistest.Start(t)
	add := func(from, to int) {
		for seq := from; seq <= to; seq++ {
			redis.Do("XADD", "firehose:events", "*", "type", "account", "data", "{}", "seq", seq)
		}
	}
	add(1, 10)
	stream, err := reader.Open(t.Context(), reader.Config{
		Connection: conn.Connection{URL: redis.URL()}, StreamKey: "firehose:events", CursorKey: "firehose:python_cursor",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	x, err := stretchOf(t.Context(), stream, place.Place{}, place.Place{})
	if err != nil {
		t.Fatal(err)
	}
	add(11, 300)
	if span, err := spanOf(t.Context(), stream, x); err != nil || span != (verify.Span{From: 1, To: 10}) {
		t.Errorf("compares %+v, %v; want seqs 1 to 10", span, err)
	}
}

// A capture is read again by the numbers of its frames.
func TestFramesAreReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "run.fhz")
	w, err := capture.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	log, err := sim.New(sim.Config{Count: 10, Backlog: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for n, after := 0, event.Seq(0); n < 10; n++ {
		seq, data, err := log.Next(t.Context(), after)
		if err = errors.Join(err, w.Write(data)); err != nil {
			t.Fatal(err)
		}
		after = seq
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for m, err := range frameMarks(path, verify.FrameID(3), verify.FrameID(5)) {
		if want := verify.FrameID(3 + next); err != nil || m.ID != want {
			t.Errorf("mark %+v, %v; want %s", m, err, want)
		}
		next++
	}
	if next != 3 {
		t.Errorf("%d marks", next)
	}
}
