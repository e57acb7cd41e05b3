package relay

import "syscall"

// hasLowWater: setLowWater works here.
const hasLowWater = true

// setLowWater tells the system when to call a socket readable. An error leaves
// the mark where it was, which is right for every reader.
func setLowWater(fd uintptr, bytes int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, bytes)
}
