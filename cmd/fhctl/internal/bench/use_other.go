//go:build !unix

package bench

import "time"

// processUse is not known here; the report says 0.
func processUse() (cpu time.Duration, peak int64) { return 0, 0 }
