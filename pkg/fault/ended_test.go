package fault_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
)

// A socket that has its deadline from a context fails just before or just after the
// context ends; which of the two is chance.
func TestEndedBeforeTheContextNotices(t *testing.T) {
	t.Parallel()
	for range 50 {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Millisecond, errors.New("why"))
		at, _ := ctx.Deadline()
		near, far := net.Pipe()
		_ = near.SetReadDeadline(at)
		if _, err := near.Read(make([]byte, 1)); err == nil {
			t.Fatal("nothing was sent")
		}
		if err := fault.Ended(ctx); !errors.Is(err, context.DeadlineExceeded) || context.Cause(ctx).Error() != "why" {
			t.Fatalf("%v, %v", err, context.Cause(ctx))
		}
		cancel()
		_, _ = near.Close(), far.Close()
	}
	if err := fault.Ended(t.Context()); err != nil {
		t.Fatal(err)
	}
	later, cancel := context.WithTimeout(t.Context(), time.Hour)
	if err := fault.Ended(later); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := fault.Ended(later); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
