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
}

// Error says what moved and where reading resumes.
func (m *Moved) Error() string {
	return fmt.Sprintf("%s: %s; reading again from %s", m.Alarm, m.Detail, m.To)
}
