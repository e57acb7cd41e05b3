package health

// Tick is one tick of the recorder, for tests with a clock of their own.
func (m *Monitor) Tick() { m.tick() }

// MaxStreams is how many pages may be open.
const MaxStreams = maxStreams
