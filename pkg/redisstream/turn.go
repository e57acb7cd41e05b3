package redisstream

// turn is a lock that may be held for as long as Redis is away. It is a channel
// and not a mutex, so that a test in virtual time (testing/synctest) sees who
// waits for it, and its clock goes on.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// Lock waits for the turn.
func (t turn) Lock() { t <- struct{}{} }

// Unlock gives it to the next.
func (t turn) Unlock() { <-t }

// TryLock takes the turn if nobody has it.
func (t turn) TryLock() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}
