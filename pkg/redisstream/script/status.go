package script

import (
	"fmt"
	"strings"

	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// Status is how a script answers.
type Status uint8

const (
	OK        Status = iota + 1 // all of it is done
	Led                         // another writer leads
	Behind                      // the cursor is below the expected one
	Conflict                    // the cursor or its epoch is not the expected one
	Foreign                     // something else wrote the cursor, or entries above it
	Missing                     // there is no cursor
	Emptied                     // the cursor stands, but the stream lost all entries
	BadCursor                   // the cursor is not a number
	Mismatch                    // the cursor belongs to another relay, filter or number of partitions
	Partial                     // an append failed midway: the cursor tells how far it came
	Trimmed                     // the stream was full and some entries were removed: call again, it may still be full
	Full                        // groups hold the stream
	Room                        // there is room for the next batch
	Restored                    // the cursor was written again
	Present                     // the cursor to be restored is there
	Nothing                     // nothing tells where the cursor was
)

// statuses are the words of the scripts.
var statuses = [...]string{
	OK: "OK", Led: "LED", Behind: "BEHIND", Conflict: "CONFLICT", Foreign: "FOREIGN", Missing: "MISSING",
	Emptied: "EMPTIED", BadCursor: "BADCURSOR", Mismatch: "MISMATCH", Partial: "PARTIAL", Trimmed: "TRIMMED",
	Full: "FULL", Room: "ROOM", Restored: "RESTORED", Present: "PRESENT", Nothing: "NOTHING",
}

// String is the word that the scripts say.
func (s Status) String() string {
	if int(s) >= len(statuses) || s == 0 {
		return fmt.Sprintf("status %d", uint8(s))
	}
	return statuses[s]
}

// statusOf reads a script's word.
func statusOf(word any) (Status, error) {
	text, _ := word.(string)
	for s, known := range statuses {
		if known == text && s > 0 {
			return Status(s), nil
		}
	}
	return 0, fmt.Errorf("%w: status %.32q", conn.ErrReply, strings.ToValidUTF8(text, "?"))
}
