package floor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Entries that some group had not read, and that something else trimmed from the
// stream's beginning while the newest stayed: our own trimming counts what it takes
// from groups, and this is counted nowhere.

// Loss is a stretch that is gone without some group having read it, and how to say so.
type Loss struct {
	Gone
	Detail string
}

// Removed looks whether the floor rises because entries were removed, and not because
// groups have acknowledged them; nil otherwise. They are not read again, since what lies
// behind them would come a second time. Acked is the cursor, stored the newest entry's seq.
//
// That there are fewer entries than were added says little: some may have been deleted
// from elsewhere. So the oldest entry must be another one than at the last look, or,
// where there was none, nothing must have been deleted since the last process looked.
func (f *Floor) Removed(ctx context.Context, s Stream, rises, acked, stored event.Seq) *Loss {
	id, first, err := s.first(ctx, "XRANGE", "-", "+")
	if err != nil {
		return nil
	}
	before := f.Oldest
	f.Oldest = id
	if !f.Known || rises <= f.Seq || f.Seq >= stored || before == NoEntry || before != "" && id.Compare(before) <= 0 {
		return nil
	}
	since := reader.ID("")
	if before == "" {
		since = f.Deleted
	}
	who := s.readRemoved(ctx, since)
	from, to := f.Seq+1, first-1
	if who == "" || to < from {
		return nil // what cannot be asked is not known
	}
	g := Gone{From: from, To: to, Kept: acked}
	return &Loss{g, fmt.Sprintf(
		"something else removed the oldest entries of %s: %s had not read all of them, of %s, and they are not read again", s.Key, who, g)}
}

// nobody stands for the groups of a stream that has none: those that come begin with its
// oldest entry.
const nobody = "there is no group, and those that come"

// readRemoved names a group that has not read all that is gone from the beginning of a
// stream, where that is shorter than its writer ever makes it and nothing was deleted
// above an id, if there is one. It finds none where a server does not tell how far
// groups lag: before Redis 7. That a group has read nothing says little by itself: what lies
// between the floor and the oldest entry may be another partition's, or filtered.
func (s Stream) readRemoved(ctx context.Context, since reader.ID) (who string) {
	r, err := script.Removed(ctx, s.Client, s.Key)
	if err != nil || r.Gone <= 0 || s.MaxLen > 0 && r.Length >= s.MaxLen || since != "" && reader.ID(r.Deleted).Compare(since) > 0 {
		return ""
	}
	groups, err := s.Client.XInfoGroups(ctx, s.Key).Result()
	at := slices.IndexFunc(groups, func(g redis.XInfoGroup) bool {
		return g.Lag > r.Length || g.LastDeliveredID == "0-0" // of which the server counts only what is there
	})
	switch {
	case err == nil && len(groups) == 0:
		return nobody
	case err != nil || at < 0:
		return ""
	}
	return fmt.Sprintf("group %q", groups[at].Name)
}

// deletedEach is how often deletions are told of, at most: who deletes goes on.
const deletedEach = time.Minute

// InsideRemoved looks whether entries were deleted, from wherever in the stream, that
// some group had not read. It gives the last of them; earlier ones may lie before it.
// None of them is read again, since what lies behind them would come a second time.
// Told says that the same was told already.
func (f *Floor) InsideRemoved(ctx context.Context, s Stream, acked event.Seq, told bool) *Loss {
	r, err := script.Removed(ctx, s.Client, s.Key)
	id := reader.ID(r.Deleted)
	if err != nil || id == "" || f.Deleted != "" && id.Compare(f.Deleted) <= 0 {
		return nil
	}
	who := ""
	if f.Deleted != "" && !told {
		who = s.unreadBy(ctx, id)
	}
	if who != "" && time.Since(f.toldAt) < deletedEach {
		return nil // the next look tells of the last one
	}
	if f.Deleted = id; who == "" {
		return nil
	}
	f.toldAt = time.Now()
	before, err1 := s.SeqAt(ctx, "XREVRANGE", "("+string(id), "-")
	after, err2 := s.SeqAt(ctx, "XRANGE", "("+string(id), "+")
	if after == 0 {
		after = acked + 1
	}
	if err1 != nil || err2 != nil || after <= before+1 {
		before, after = 0, acked+1
	}
	g := Gone{From: before + 1, To: after - 1, Kept: after}
	if before == 0 {
		g.From = 0
	}
	return &Loss{g, fmt.Sprintf(
		"something else deleted entries from inside %s, the last of them with id %s: %s had not read it; %s is gone, perhaps more before that, and is not read again", s.Key, id, who, g)}
}

// unreadBy names a group that was not given an entry, "" when there is none.
func (s Stream) unreadBy(ctx context.Context, id reader.ID) (who string) {
	groups, err := s.Client.XInfoGroups(ctx, s.Key).Result()
	if err == nil && len(groups) == 0 {
		return nobody
	}
	for _, g := range groups {
		if reader.ID(g.LastDeliveredID).Compare(id) < 0 {
			return fmt.Sprintf("group %q", g.Name)
		}
	}
	return ""
}

// Gone is a stretch of seqs that were removed from the stream and are not read again.
// From is 0 when it is not known where it begins.
type Gone struct {
	From, To event.Seq
	Kept     event.Seq // the oldest seq that is there, or the cursor
}

// String is the stretch for people.
func (g Gone) String() string {
	if g.From == 0 {
		return "what lies up to seq " + g.To.String()
	}
	return fmt.Sprintf("seq %s to %s", g.From, g.To)
}
