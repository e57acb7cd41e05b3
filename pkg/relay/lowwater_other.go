//go:build !unix

package relay

// hasLowWater: this system has no mark for the bytes that make a socket readable.
const hasLowWater = false

func setLowWater(uintptr, int) {}
