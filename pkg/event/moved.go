package event

import "fmt"

// Moved is what a sink returns instead of storing a batch when the stored
// cursor is not where the batch continues from: Redis lost writes, an operator
// rewound, another writer was there first, or the cursor is gone. Nothing of
// the batch is stored. The pipeline drops what it holds and reads the relay
// again from To, which restores G1 to G3.
type Moved struct {
	To     Position
	Alarm  Alarm
	Detail string
	Asked  bool // an operator was told to move it, and did: no alarm
}

// Error says what moved and where reading resumes.
func (m *Moved) Error() string {
	if m.Asked {
		return fmt.Sprintf("%s; reading from %s", m.Detail, m.To)
	}
	return fmt.Sprintf("%s: %s; reading again from %s", m.Alarm, m.Detail, m.To)
}

// Full is what a sink returns instead of storing a batch when readers have not
// finished what the stream may hold and nothing unread may be trimmed. Nothing
// of the batch is stored. The pipeline drops what it holds and disconnects; the
// sink's Resume waits for room.
type Full struct {
	Detail string // which group holds the stream, and how far it is behind
}

// Error says who holds the stream.
func (f *Full) Error() string { return "the stream is full: " + f.Detail }
