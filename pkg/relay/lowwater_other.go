//go:build !linux

package relay

// hasLowWater: this system has no mark for the bytes that make a socket readable,
// or none that was seen to wake a reader whose socket is full already.
const hasLowWater = false

func setLowWater(uintptr, int) {}
