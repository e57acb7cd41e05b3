package shell

// LargeItem is from how many bytes on an event is kept once only, and its buffers
// are not kept for the next.
const LargeItem = 1 << 20
