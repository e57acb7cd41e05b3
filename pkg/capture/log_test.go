package capture

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
)

// served is what a relay server asks of a log.
type served interface {
	Bounds() (oldest, newest event.Seq)
	Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error)
}

var _ served = (*Log)(nil)

func appended(t testing.TB, ev *event.Event) []byte {
	t.Helper()
	data, err := frame.Append(nil, ev)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func opened(t testing.TB, seqs ...event.Seq) *Log {
	t.Helper()
	var frames [][]byte
	for _, seq := range seqs {
		frames = append(frames, made(t, seq))
	}
	l, err := OpenLog(LogConfig{Path: record(t, frames...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// follow reads from after to the end, going on from each seq as a relay does.
func follow(t *testing.T, l *Log, after event.Seq) (seqs []event.Seq) {
	t.Helper()
	for {
		seq, data, err := l.Next(t.Context(), after)
		if errors.Is(err, io.EOF) {
			return seqs
		}
		if err != nil {
			t.Fatal(err)
		}
		if peeked, ok := frame.PeekSeq(data); ok && peeked != seq {
			t.Fatalf("seq %d came with the frame of %d", seq, peeked)
		}
		seqs, after = append(seqs, seq), seq
	}
}

func TestLogPlaysFromAnySeq(t *testing.T) {
	l := opened(t, 10, 11, 15, 16, 20)
	if oldest, newest := l.Bounds(); oldest != 10 || newest != 20 {
		t.Fatalf("bounds %d to %d", oldest, newest)
	}
	for after, want := range map[event.Seq][]event.Seq{
		0: {10, 11, 15, 16, 20}, 10: {11, 15, 16, 20}, 12: {15, 16, 20}, 19: {20}, 20: nil, 99: nil,
	} {
		if got := follow(t, l, after); !slices.Equal(got, want) {
			t.Errorf("after %d: %d, want %d", after, got, want)
		}
	}
}

func TestLogKeepsConsumersApart(t *testing.T) {
	l := opened(t, 1, 2, 3, 4, 5, 6, 7, 8)
	at := make([]event.Seq, 2*maxReaders) // more than there are readers
	for step := range event.Seq(8) {
		for i := range at {
			seq, _, err := l.Next(t.Context(), at[i])
			if err != nil || seq != step+1 {
				t.Fatalf("consumer %d got %d, %v", i, seq, err)
			}
			at[i] = seq
		}
	}
}

func TestLogKeepsFramesItReturned(t *testing.T) {
	l := opened(t, 1, 2)
	_, first, err := l.Next(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(first)
	follow(t, l, 1)
	if !bytes.Equal(first, want) {
		t.Fatal("a later Next changed it")
	}
}

func TestLogPassesFramesWithoutSeqOnceInPlace(t *testing.T) {
	l := opened(t, 0, 1, 0, 0, 2)
	if got, want := follow(t, l, 0), []event.Seq{0, 1, 1, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("from the start: %d, want %d", got, want)
	}
	if got, want := follow(t, l, 1), []event.Seq{2}; !slices.Equal(got, want) {
		t.Errorf("asked afresh: %d, want %d", got, want)
	}
}

func TestLogGoesForwardOnly(t *testing.T) {
	l := opened(t, 5, 6, 6, 3, 7)
	if got, want := follow(t, l, 0), []event.Seq{5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("%d, want %d", got, want)
	}
}

func TestLogPlaysUpToDamage(t *testing.T) {
	path := record(t, made(t, 1), made(t, 2))
	extra := packed(t, []byte{9, 0, 0, 0, 1})
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(extra); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	l, err := OpenLog(LogConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if oldest, newest := l.Bounds(); oldest != 1 || newest != 2 {
		t.Fatalf("bounds %d to %d", oldest, newest)
	}
	var after event.Seq
	for range 2 {
		if after, _, err = l.Next(t.Context(), after); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err = l.Next(t.Context(), after); fault.ClassOf(err) != fault.Data {
		t.Fatalf("at the damage: %v", err)
	}
}

func TestLogObeysItsContextAndClose(t *testing.T) {
	l := opened(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.Next(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Next(t.Context(), 0); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("closed: %v", err)
	}
}

func TestLogTakesAnotherReadingOfSeqs(t *testing.T) {
	path := record(t, []byte{1}, []byte{2}, []byte{3})
	l, err := OpenLog(LogConfig{Path: path, SeqOf: func(f []byte) (event.Seq, bool) { return event.Seq(f[0]), true }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if seq, data, err := l.Next(t.Context(), 1); seq != 2 || !bytes.Equal(data, []byte{2}) || err != nil {
		t.Fatalf("%d %x %v", seq, data, err)
	}
}
