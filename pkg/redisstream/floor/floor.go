package floor

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Floor remembers the seq before the oldest entry that some group has not acknowledged. If
// stream and cursor vanish together, that is what reading must go back to. It is a plain
// value: whoever has it may change it.
type Floor struct {
	Known bool
	Seq   event.Seq // meaningful when Known
	Next  time.Time // when groups are to be asked again

	// Oldest is the id of the stream's oldest entry when groups were last asked: "" before
	// the first look, NoEntry where it was found empty.
	Oldest reader.ID

	// Deleted is the highest id that was ever deleted from the stream, as far as that was
	// told of or concerned nobody; "" before the first look. toldAt is when it was told.
	Deleted reader.ID
	toldAt  time.Time
}

// NoEntry is Floor.Oldest of a stream that was empty.
const NoEntry reader.ID = "0-0"

// Emptied is the floor of a stream without entries: what is stored from now on lies
// behind seq.
func Emptied(seq event.Seq) Floor { return Floor{Known: true, Seq: seq, Oldest: NoEntry} }

// Began notes the floor of a stream that begins behind a seq: nothing is older.
func (f *Floor) Began(base event.Seq) {
	if !f.Known {
		f.Known, f.Seq = true, base
	}
}

// Learn takes over what the side key knew, where that reaches further back.
func (f *Floor) Learn(stored *script.Side) {
	f.Next = time.Time{} // better asked again
	if stored != nil && f.Deleted == "" {
		f.Deleted = reader.ID(stored.Deleted)
	}
	if stored == nil || stored.Floor == nil {
		return
	}
	if seq := event.Seq(*stored.Floor); !f.Known || seq < f.Seq {
		f.Known, f.Seq = true, seq
	}
}

// UpTo is the floor of a cursor that was moved to seq: what lies behind that is
// read again.
func (f Floor) UpTo(seq event.Seq) Floor {
	f.Seq, f.Next = min(f.Seq, seq), time.Time{}
	return f
}

// Text is the floor as the scripts read it; "" is none.
func (f *Floor) Text() string {
	if !f.Known {
		return ""
	}
	return f.Seq.String()
}
