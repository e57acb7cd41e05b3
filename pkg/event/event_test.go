package event_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

func TestParseSeqTakesPlainDigitsOnly(t *testing.T) {
	for text, want := range map[string]event.Seq{
		"0": 0, "1": 1, "7000000123": 7000000123, "9007199254740991": event.MaxSeq,
	} {
		if got, ok := event.ParseSeq(text); !ok || got != want {
			t.Errorf("ParseSeq(%q) = %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-1", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "9007199254740992", "99999999999999999999", "١"} {
		if got, ok := event.ParseSeq(text); ok {
			t.Errorf("ParseSeq(%q) = %v, want it refused", text, got)
		}
	}
}

// Q1: numbers are kept exactly up to 2^53-1.
func TestQ1SeqRoundTripsExactly(t *testing.T) {
	for _, seq := range []event.Seq{1, 1<<31 + 1, 1<<53 - 1} {
		if back, ok := event.ParseSeq(seq.String()); !ok || back != seq {
			t.Errorf("%d came back as %d, %v", seq, back, ok)
		}
	}
	if (event.MaxSeq + 1).Valid() || event.Seq(0).Valid() || event.Seq(-5).Valid() {
		t.Error("a seq outside 1..2^53-1 is valid")
	}
}

// Q2: at or below the last one is a repeat; gaps are legal (Q1).
func TestQ2TrackerDropsRepeatsAndMeasuresGaps(t *testing.T) {
	tracker := event.NewTracker(event.AfterSeq(10))
	steps := []struct {
		seq     event.Seq
		verdict event.Verdict
		skipped int64
	}{
		{10, event.Repeat, 0}, {11, event.Fresh, 0}, {11, event.Repeat, 0},
		{20, event.Fresh, 8}, {12, event.Repeat, 0}, {21, event.Fresh, 0},
	}
	for _, step := range steps {
		got := tracker.Observe(step.seq, 1, time.Time{})
		if got.Verdict != step.verdict || got.Skipped != step.skipped {
			t.Errorf("Observe(%d) = %v, %d; want %v, %d", step.seq, got.Verdict, got.Skipped, step.verdict, step.skipped)
		}
	}
	if tracker.Position() != event.AfterSeq(21) {
		t.Errorf("position is %v", tracker.Position())
	}
}

func TestTrackerTakesAnyFirstSeqWhenStartingLive(t *testing.T) {
	tracker := event.NewTracker(event.Position{Start: event.Live})
	if got := tracker.Observe(5_000_000, 1, time.Time{}); got.Verdict != event.Fresh || got.Skipped != 0 {
		t.Errorf("first live event: %v, skipped %d", got.Verdict, got.Skipped)
	}
}

func TestBatchKeepsEarlierEntriesWhileItGrows(t *testing.T) {
	var b event.Batch
	for range 2 { // the second round reuses the memory of the first
		b.Reset(event.AfterSeq(1))
		for i := range 5000 {
			b.Add(event.Seq(i+2), event.KindCommit, fmt.Appendf(nil, `{"n":%d,"pad":"%0100d"}`, i, i))
		}
		for i, e := range b.Entries {
			if want := fmt.Sprintf(`{"n":%d,"pad":"%0100d"}`, i, i); string(e.Data) != want {
				t.Fatalf("entry %d holds %.40s", i, e.Data)
			}
		}
		if b.Upto != 5001 || len(b.Entries) != 5000 {
			t.Fatalf("batch reaches %d with %d entries", b.Upto, len(b.Entries))
		}
	}
}

func TestReasonClasses(t *testing.T) {
	for r := event.ReasonEmpty; int(r) < event.Reasons; r++ {
		if r.String() == "" {
			t.Errorf("reason %d has no name", r)
		}
		if r.Framing() && r.Op() {
			t.Errorf("%s both breaks the stream and concerns one op", r)
		}
	}
	if !event.ReasonHeader.Framing() || event.ReasonLexicon.Framing() || !event.ReasonRecordType.Op() || event.ReasonCAR.Op() {
		t.Error("a reason is in the wrong class")
	}
}

func TestPositionNames(t *testing.T) {
	for want, p := range map[string]event.Position{
		"live": {}, "oldest": {Start: event.Oldest}, "42": event.AfterSeq(42),
	} {
		if p.String() != want {
			t.Errorf("%#v is called %q, want %q", p, p.String(), want)
		}
	}
}
