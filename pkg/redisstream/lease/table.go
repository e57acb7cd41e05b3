package lease

// State is what a writer knows of who leads.
type State uint8

const (
	Idle      State = iota // it does not lead, and has heard of nobody who does
	Following              // another leads, or led until now
	Unsure                 // as Following, and the cursor followed has had no side key for a moment
	Leading                // Redis gave or prolonged the lease
)

// Answer is what Redis says of lease and cursor, as a writer understands it.
type Answer uint8

const (
	Given           Answer = iota // the lease is this writer's, and the cursor where it was or further on
	GivenNoCursor                 // the lease is this writer's, and the cursor is gone
	GivenLower                    // ..., and the cursor is lower than what was stored
	GivenEarlier                  // ..., and the epoch is lower, but not the cursor
	GivenMoved                    // ..., and an operator moved the cursor: its epoch is higher
	GivenDisputed                 // ..., and something else than fhctl wrote the cursor
	Led                           // another writer leads
	LedLower                      // another writer leads, and the cursor is lower than what was stored
	NoSide                        // the side key is gone, and the cursor is where it was
	NoSideElsewhere               // the side key is gone, and the cursor is elsewhere
	NoSideForLong                 // the same, for longer than a leader takes to write it again
	NotOurs                       // the cursor belongs to another relay, filter or number of partitions
	NotANumber                    // the cursor is no number
	GivenBack                     // this writer gave the lease back
	answers
)

// Action is what a writer does about an answer.
type Action uint8

const (
	Nothing     Action = iota
	Follow             // take over how far the leader has come
	Restore            // write the cursor again: alarm cursor_missing
	RestoreSide        // write the side key again: alarm cursor_missing
	GoBack             // read again from the cursor: alarm rollback
	GoThere            // read again from the cursor: alarm conflict
	PutBack            // put the cursor where this writer left it: alarm conflict
	StandBy            // tell the caller that another leads
	Wait               // the leader writes the side key again
	Refuse             // end with an error: the cursor is not this writer's
	RefuseValue        // end with an error: the cursor is no number
)

// Step is what follows an answer.
type Step struct {
	Next State
	Do   Action
}

// table is the steps of each state, by answer.
var table = [...][answers]Step{
	Idle: {
		Given: {Leading, Nothing}, GivenNoCursor: {Leading, Nothing}, GivenLower: {Leading, Nothing},
		GivenEarlier: {Leading, Nothing}, GivenMoved: {Leading, Nothing}, GivenDisputed: {Leading, Nothing},
		Led: {Following, Follow}, LedLower: {Following, GoBack},
		NoSide: {Idle, Refuse}, NoSideElsewhere: {Idle, Refuse}, NoSideForLong: {Idle, Refuse},
		NotOurs: {Idle, Refuse}, NotANumber: {Idle, RefuseValue}, GivenBack: {Idle, Nothing},
	},
	Following: {
		Given: {Leading, Follow}, GivenNoCursor: {Leading, Restore}, GivenLower: {Leading, GoBack},
		GivenEarlier: {Leading, Follow}, GivenMoved: {Leading, Follow}, GivenDisputed: {Leading, Follow},
		Led: {Following, Follow}, LedLower: {Following, GoBack},
		NoSide: {Following, RestoreSide}, NoSideElsewhere: {Unsure, Wait}, NoSideForLong: {Unsure, Refuse},
		NotOurs: {Following, Refuse}, NotANumber: {Following, RefuseValue}, GivenBack: {Following, Nothing},
	},
	Unsure: {
		Given: {Leading, Follow}, GivenNoCursor: {Leading, Restore}, GivenLower: {Leading, GoBack},
		GivenEarlier: {Leading, Follow}, GivenMoved: {Leading, Follow}, GivenDisputed: {Leading, Follow},
		Led: {Following, Follow}, LedLower: {Following, GoBack},
		NoSide: {Unsure, RestoreSide}, NoSideElsewhere: {Unsure, Wait}, NoSideForLong: {Unsure, Refuse},
		NotOurs: {Unsure, Refuse}, NotANumber: {Unsure, RefuseValue}, GivenBack: {Unsure, Nothing},
	},
	Leading: {
		Given: {Leading, Nothing}, GivenNoCursor: {Leading, Restore}, GivenLower: {Leading, GoBack},
		GivenEarlier: {Leading, GoBack}, GivenMoved: {Leading, GoThere}, GivenDisputed: {Leading, PutBack},
		Led: {Following, StandBy}, LedLower: {Following, StandBy},
		// What is wrong with the cursor is for the next batch to find.
		NoSide: {Leading, Nothing}, NoSideElsewhere: {Leading, Nothing}, NoSideForLong: {Leading, Nothing},
		NotOurs: {Leading, Nothing}, NotANumber: {Leading, Nothing}, GivenBack: {Idle, Nothing},
	},
}

// Table is the step that follows an answer in a state.
func Table(s State, a Answer) Step { return table[s][a] }

var stateNames = [...]string{Idle: "idle", Following: "following", Unsure: "unsure", Leading: "leading"}

// String is the state's name in docs/pairs.md.
func (s State) String() string { return stateNames[s] }

var answerNames = [...]string{
	Given: "given", GivenNoCursor: "given, no cursor", GivenLower: "given, cursor lower", GivenEarlier: "given, epoch lower",
	GivenMoved: "given, epoch higher", GivenDisputed: "given, cursor written by others", Led: "another leads",
	LedLower: "another leads, cursor lower", NoSide: "no side key, cursor as left", NoSideElsewhere: "no side key, cursor elsewhere",
	NoSideForLong: "no side key for 3 s", NotOurs: "not this run's cursor", NotANumber: "cursor is no number", GivenBack: "given back",
}

// String is the answer's name in docs/pairs.md.
func (a Answer) String() string { return answerNames[a] }

var actionNames = [...]string{
	Nothing: "–", Follow: "follow", Restore: "restore the cursor; alarm `cursor_missing`", RestoreSide: "restore the side key; alarm `cursor_missing`",
	GoBack: "read again from the cursor; alarm `rollback`", GoThere: "read again from the cursor; alarm `conflict`",
	PutBack: "put the cursor back; alarm `conflict`", StandBy: "stand by", Wait: "wait for the leader to write it",
	Refuse: "refuse, exit code 6", RefuseValue: "refuse, exit code 6",
}

// String is the action's name in docs/pairs.md.
func (a Action) String() string { return actionNames[a] }
