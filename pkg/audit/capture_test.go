package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/verify"
)

// A recording is checked whole, in part, and as far as it can be read.
func TestCapturesAreChecked(t *testing.T) {
	t.Parallel()
	path := recording(t, 300, 5)
	var told int
	sum, err := Capture(t.Context(), path, Stretch{}, Options{Progress: func(Progress) { told++ }})
	if err != nil || sum.Items != 301 || told != 1+301/64 {
		t.Fatalf("%+v, %v, told %d times", sum, err, told)
	}
	// The last frame is the sixth once more, which is long past.
	if n := counts(sum); n[verify.SeqDuplicate] != 1 || n[verify.RevOrder] == 0 || sum.Clean() {
		t.Errorf("found %v", n)
	}
	first, last := uint64(sum.First.Seq), uint64(7100000000)
	if sum, err = Capture(t.Context(), path, seqs(first+5, first+20), Options{}); err != nil || sum.Items == 0 || sum.Items > 17 || len(sum.Lacks) != 0 {
		t.Errorf("a part: %+v, %v", sum, err)
	}
	if sum, err = Capture(t.Context(), path, seqs(first-1, last), Options{}); err != nil || len(sum.Lacks) != 2 || counts(sum)[verify.RangeTrimmed] != 2 {
		t.Errorf("more than there is: %+v, %v", sum, err)
	}
	sum, err = Capture(t.Context(), path, seqs(last, 0), Options{})
	if n, ok := errors.AsType[*Nothing](err); sum != nil || !ok || n.What != "frames" || !strings.HasPrefix(fault.HintOf(err), "it holds 301 frames, seq 7000000") {
		t.Errorf("nothing of it: %+v, %v, hint %q", sum, err, fault.HintOf(err))
	}
	ctx, cancel := context.WithCancel(t.Context())
	sum, err = Capture(ctx, path, Stretch{}, Options{Progress: func(p Progress) {
		if p.Done > 0 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || sum == nil || sum.Items != 64 {
		t.Errorf("ended early: %+v, %v", sum, err)
	}
}

// A file that is damaged is a finding, one that is no capture no verdict.
func TestCapturesThatAreNone(t *testing.T) {
	t.Parallel()
	path := recording(t, 300, -1)
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()*3/4)
	}
	if err != nil {
		t.Fatal(err)
	}
	sum, err := Capture(t.Context(), path, Stretch{}, Options{})
	if err != nil || counts(sum)[verify.CaptureDamaged] != 1 || sum.Items == 0 || sum.Items >= 300 {
		t.Errorf("cut short: %+v, %v", sum, err)
	}
	junk := filepath.Join(t.TempDir(), "junk.fhz")
	if err := os.WriteFile(junk, []byte("This is not a capture."), 0o600); err != nil {
		t.Fatal(err)
	}
	sum, err = Capture(t.Context(), junk, Stretch{}, Options{})
	if sum != nil || fault.ClassOf(err) != fault.Unreachable || !errors.As(err, new(*capture.NotCapture)) {
		t.Errorf("junk: %+v, %v", sum, err)
	}
}

// A capture is read again by the numbers of its frames.
func TestFramesAreReadAgain(t *testing.T) {
	t.Parallel()
	path, next := recording(t, 10, -1), int64(0)
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
