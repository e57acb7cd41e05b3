package fault

import (
	"context"
	"time"
)

// Ended is ctx's error, also where its deadline has passed and ctx has not noticed
// yet: a socket is given the same deadline, and either timer may be the first. Ask
// it before an error is taken for the peer's; context.Cause is set when it answers.
func Ended(ctx context.Context) error {
	if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
		<-ctx.Done() // due now
	}
	return ctx.Err()
}
