package shell

import (
	"os"
	"runtime/debug"
)

// heapBeside is what ingest's heap needs beside the queue, with room to be
// collected in: batches, decoders, buffers of connections. At full speed more
// would save no time that can be measured.
const heapBeside = 28 << 20

// BoundReading keeps the heap of a command that reads events small, without which
// garbage of large ones would double it. The environment's GOMEMLIMIT wins.
func BoundReading() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapBeside + 8<<20)
	}
}

// BoundMemory keeps the heap small: what is live is bounded by settings, and
// garbage is scarce, so collecting it early costs little. The environment's
// GOMEMLIMIT and GOGC win.
func BoundMemory(queue int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapBeside + queue)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}
