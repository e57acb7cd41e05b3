package wait

import (
	"context"
	"errors"
	"time"
)

// For returns nil after d, or ctx's error as soon as ctx ends. Where d is not above
// zero it does not wait, and tells whether ctx has ended already.
func For(ctx context.Context, d time.Duration) error {
	_, err := Unless(ctx, d, nil)
	return err
}

// Unless is [For] that also ends, with stopped set and no error, as soon as stop is
// closed. A nil channel never is.
func Unless(ctx context.Context, d time.Duration, stop <-chan struct{}) (stopped bool, err error) {
	if d <= 0 {
		select {
		case <-stop:
			return true, nil
		default:
			return false, ctx.Err()
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case <-stop:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// UnlessStopped is err, or nil where that is only that ctx was cancelled: who waits and
// is told to stop has not failed.
func UnlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
