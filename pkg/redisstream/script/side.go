package script

import (
	"encoding/json"

	"github.com/fhctl/fhctl/pkg/event"
)

// BridgeRelay is whose a cursor without a side key is: the Python bridge left
// it, and read that host whatever its settings said (contract §7.2).
const BridgeRelay = "bsky.network"

// Side is what the side key tells of the cursor beside it. Zero values stand
// for what is missing. Head writes it, and the scripts add Epoch.
type Side struct {
	Relay      string `json:"relay"`  // host, with port if it has one
	Filter     string `json:"filter"` // fingerprint; "" delivers everything
	Partitions int    `json:"partitions"`
	From       string `json:"from"`      // the last request to begin elsewhere that was applied
	EventTime  string `json:"eventTime"` // of the last stored event, as the relay sent it
	// Stored is the seq of the last entry a writer stored and Upto where it
	// left the cursor: further, when the last events yielded no entry. Both
	// tell a cursor that is ahead by right from one that was moved. They are
	// 0 after anything but an append.
	Stored int64 `json:"stored"`
	Upto   int64 `json:"upto"`
	Epoch  int64 `json:"epoch"` // how many times the cursor was moved on purpose
	// Was is the filter that Filter took the place of by a reload; nil once an
	// event was stored behind that. Of a set it tells a change that was interrupted.
	Was *string `json:"was"`
	// Set is where an operator put the cursor with the tool made for it; "" after
	// anything a writer did.
	Set string `json:"set"`
	// OthersTo is the highest seq of entries that another writer added above the
	// cursor, and OthersFrom the id behind which those lie; 0 and "" when unknown. A
	// writer that starts reads them again from there.
	OthersTo   int64  `json:"othersTo"`
	OthersFrom string `json:"othersFrom"`
	// Deleted is the highest id that was ever deleted from the stream when this was
	// written, 0-0 for none; "" when nobody knew.
	Deleted string `json:"deleted"`
	// Again is up to where such entries may be of the writer's own kind, since it went
	// back over them; 0 once the cursor has passed it.
	Again int64 `json:"again"`
	// Floor is the seq before the oldest entry that some group had not
	// acknowledged when this was written; nil when nobody knew.
	Floor *int64 `json:"floor"`
	// Own is where the cursor was left by whoever wrote the side key, if it tells
	// (OwnKnown), which is Upto or Set: a cursor that holds something else was changed
	// by a stranger. See ownOf in the scripts.
	Own      event.Seq `json:"-"`
	OwnKnown bool      `json:"-"`
}

// UnmarshalJSON reads the side key and works out Own.
func (s *Side) UnmarshalJSON(raw []byte) error {
	type plain Side
	if err := json.Unmarshal(raw, (*plain)(s)); err != nil {
		return err
	}
	var left struct{ Upto *int64 }
	switch _ = json.Unmarshal(raw, &left); {
	case left.Upto != nil && *left.Upto >= 0:
		s.Own, s.OwnKnown = event.Seq(*left.Upto), true
	case s.Set != "":
		s.Own, s.OwnKnown = event.ParseSeq(s.Set)
	}
	return nil
}

// ParseSide reads a side key. broken is set where it is not a JSON object; Side is then
// zero.
func ParseSide(raw []byte) (s Side, broken bool) {
	if json.Unmarshal(raw, &s) != nil {
		return Side{}, true
	}
	return s, false
}

// Contradicts reports whether a cursor of another relay than the bridge's is not
// where the side key says that it was left: something else moved it, and nobody
// knows whose number it is. The bridge is known to write numbers of its own relay
// wherever it runs.
func (s Side) Contradicts(cursor event.Seq) bool {
	return s.OwnKnown && s.Relay != BridgeRelay && cursor != s.Own && int64(cursor) != s.Stored
}

// Head is the side key as a script is given it: without its epoch and closing brace,
// which the scripts add, since only they know the stored epoch.
type Head struct {
	Relay      string `json:"relay"`
	Filter     string `json:"filter"`
	Partitions int    `json:"partitions"`
	From       string `json:"from"`
	EventTime  string `json:"eventTime"`
	Stored     int64  `json:"stored,omitempty"`
	// Upto is nil where the cursor is left for the script to say, or not known.
	Upto  *int64     `json:"upto,omitempty"`
	Floor *event.Seq `json:"floor,omitempty"`
	Set   string     `json:"set,omitempty"`
	// Deleted is the highest id that was ever deleted from the stream, as last seen.
	Deleted string `json:"deleted,omitempty"`
}

// Append adds the head to buf.
func (h *Head) Append(buf []byte) []byte {
	text, _ := json.Marshal(h) // of strings and numbers
	return append(buf, text[:len(text)-1]...)
}
