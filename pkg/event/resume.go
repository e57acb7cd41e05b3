package event

// Resume is where a sink wants reading to begin.
type Resume struct {
	Position Position
	Why      string // for the log: "saved cursor", "cold start, no cursor", ...
	// Time is the informal time of the last stored event, as the relay sent
	// it; empty when unknown. A first event far later than this means that
	// the relay no longer held what lies between (Q5).
	Time string
}
