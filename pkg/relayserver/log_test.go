package relayserver

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

func TestMemoryLogHoldsTheNewest(t *testing.T) {
	l := NewMemoryLog(3)
	if oldest, newest := l.Bounds(); oldest != 0 || newest != 0 {
		t.Errorf("empty: got %d to %d", oldest, newest)
	}
	for _, seq := range []event.Seq{2, 4, 6, 8} {
		if err := l.Append(seq, []byte{byte(seq)}); err != nil {
			t.Fatal(err)
		}
	}
	if oldest, newest := l.Bounds(); oldest != 4 || newest != 8 {
		t.Errorf("got %d to %d, want 4 to 8", oldest, newest)
	}
	for after, want := range map[event.Seq]event.Seq{0: 4, 3: 4, 4: 6, 7: 8} {
		if seq, frame, err := l.Next(t.Context(), after); seq != want || frame[0] != byte(want) || err != nil {
			t.Errorf("after %d: got %d %v, want %d", after, seq, err, want)
		}
	}
	if err := l.Append(8, nil); err == nil {
		t.Error("appended the same seq twice")
	}
}

func TestMemoryLogWaits(t *testing.T) {
	l := NewMemoryLog(0)
	got := make(chan error, 1)
	go func() {
		_, _, err := l.Next(t.Context(), 0)
		got <- err
	}()
	if err := l.Append(1, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("an empty frame: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, _, err := l.Next(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	l.End()
	if _, _, err := l.Next(t.Context(), 1); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
	if err := l.Append(2, nil); err == nil {
		t.Error("appended after the end")
	}
}
