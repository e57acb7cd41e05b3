package figures

import (
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
)

// UntilGone says when the heartbeat of a writer that has ended is gone.
func UntilGone(h dashboard.Heartbeat) string {
	left := int((h.TTL + time.Second - 1) / time.Second)
	if left <= 0 {
		return "or, if it has ended, repeat in 10 s, when its heartbeat has gone"
	}
	return fmt.Sprintf("or, if it has ended, repeat in %d s, when its heartbeat has gone", left)
}
