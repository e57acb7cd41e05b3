package follow

import "time"

// silence measures for how long a connected relay has sent nothing new. Its timer fires
// when that is the end.
type silence struct {
	after time.Duration // 0 is never
	timer *time.Timer
	at    time.Time     // when the timer fires; zero while it is stopped
	rest  time.Duration // of a stopped timer
}

func newSilence(after time.Duration) silence {
	return silence{after: after, timer: stopped(), rest: after}
}

// start goes on measuring.
func (s *silence) start() {
	if s.after > 0 && s.at.IsZero() {
		s.at = time.Now().Add(s.rest)
		s.timer.Reset(s.rest)
	}
}

// stop stops the clock while nothing can come.
func (s *silence) stop() {
	if !s.at.IsZero() {
		s.timer.Stop()
		s.rest = max(time.Until(s.at), time.Millisecond)
		s.at = time.Time{}
	}
}

// anew begins anew, and waits for some time more.
func (s *silence) anew(more time.Duration) {
	s.stop()
	s.rest = s.after + more
}
