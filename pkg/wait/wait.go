package wait

import (
	"context"
	"time"
)

// For returns nil after d, or ctx's error as soon as ctx ends. Where d is not above
// zero it does not wait, and tells whether ctx has ended already.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
