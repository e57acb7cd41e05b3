//go:build !linux

package lease

// pidSpace is unknown here: a writer that died is waited for as long as its
// lease lasts.
func pidSpace() string { return "" }

func ended(int) bool { return false }
