package redisstream

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
// stream's beginning while the newest stayed: fhctl's own trimming counts what it takes
// from groups, and this is counted nowhere.

// unreadRemoved looks whether the floor rises because entries were removed, and not
// because groups have acknowledged them. It tells of them; they are not read again,
// since what lies behind them would come a second time.
func (w *Writer) unreadRemoved(ctx context.Context, rises event.Seq) (told bool) {
	if !w.floor.known || rises <= w.floor.seq || w.floor.seq >= event.Seq(w.stored) {
		return false
	}
	who, first := w.readRemoved(ctx)
	from, to := w.floor.seq+1, first-1
	if who == "" || to < from {
		return false // what cannot be asked is not known
	}
	g := gone{from: from, to: to, kept: w.acked}
	w.note(ctx, g)
	w.config.Alarm(event.AlarmRemoved, from, fmt.Sprintf(
		"something else removed the oldest entries of %s: %s had not read all of them, of %s, and they are not read again", w.config.StreamKey, who, g))
	return true
}

// nobody stands for the groups of a stream that has none: those that come begin with its
// oldest entry.
const nobody = "there is no group, and those that come"

// readRemoved names a group that has not read all that is gone from the beginning of a
// stream, where that is shorter than fhctl itself ever makes it, and the seq of the
// oldest entry left. It finds none where a server does not tell how far groups lag:
// before Redis 7. That a group has read nothing says little by itself: what lies
// between the floor and the oldest entry may be another partition's, or filtered.
func (w *Writer) readRemoved(ctx context.Context) (who string, first event.Seq) {
	r, err := script.Removed(ctx, w.client, w.config.StreamKey)
	if err != nil || r.Gone <= 0 || w.config.MaxLen > 0 && r.Length >= w.config.MaxLen {
		return "", 0
	}
	groups, err := w.client.XInfoGroups(ctx, w.config.StreamKey).Result()
	at := slices.IndexFunc(groups, func(g redis.XInfoGroup) bool {
		return g.Lag > r.Length || g.LastDeliveredID == "0-0" // of which the server counts only what is there
	})
	switch {
	case err == nil && len(groups) == 0:
		who = nobody
	case err != nil || at < 0:
		return "", 0
	default:
		who = fmt.Sprintf("group %q", groups[at].Name)
	}
	first, err = w.seqAt(ctx, "XRANGE", "-", "+")
	if err != nil {
		return "", 0
	}
	return who, first
}

// deletedEach is how often deletions are told of, at most: who deletes goes on.
const deletedEach = time.Minute

// unreadDeleted looks whether entries were deleted, from wherever in the stream, that
// some group had not read. It tells of the last of them; earlier ones may lie before it.
// None of them is read again, since what lies behind them would come a second time.
// Known says that the same was told already.
func (w *Writer) unreadDeleted(ctx context.Context, known bool) {
	f := &w.floor
	r, err := script.Removed(ctx, w.client, w.config.StreamKey)
	id := reader.ID(r.Deleted)
	if err != nil || id == "" || f.deleted != "" && id.Compare(f.deleted) <= 0 {
		return
	}
	who := ""
	if f.deleted != "" && !known {
		who = w.unreadBy(ctx, id)
	}
	if who != "" && time.Since(f.toldAt) < deletedEach {
		return // the next look tells of the last one
	}
	if f.deleted = id; who == "" {
		return
	}
	f.toldAt = time.Now()
	before, err1 := w.seqAt(ctx, "XREVRANGE", "("+string(id), "-")
	after, err2 := w.seqAt(ctx, "XRANGE", "("+string(id), "+")
	if after == 0 {
		after = w.acked + 1
	}
	if err1 != nil || err2 != nil || after <= before+1 {
		before, after = 0, w.acked+1
	}
	g := gone{from: before + 1, to: after - 1, kept: after}
	if before == 0 {
		g.from = 0
	}
	w.note(ctx, g)
	w.config.Alarm(event.AlarmRemoved, g.from, fmt.Sprintf(
		"something else deleted entries from inside %s, the last of them with id %s: %s had not read it; %s is gone, perhaps more before that, and is not read again", w.config.StreamKey, id, who, g))
}

// unreadBy names a group that was not given an entry, "" when there is none.
func (w *Writer) unreadBy(ctx context.Context, id reader.ID) (who string) {
	groups, err := w.client.XInfoGroups(ctx, w.config.StreamKey).Result()
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

// acknowledged reports whether every group has acknowledged everything that was ever in
// the stream, whatever of it is there; false where there is no group.
func (w *Writer) acknowledged(ctx context.Context) bool {
	r, err := script.Removed(ctx, w.client, w.config.StreamKey)
	if err != nil || r.Gone <= 0 || r.Last == "" || r.Last == "0-0" {
		return false // nothing was ever in it: it was made anew
	}
	groups, err := w.client.XInfoGroups(ctx, w.config.StreamKey).Result()
	return err == nil && len(groups) > 0 && !slices.ContainsFunc(groups, func(g redis.XInfoGroup) bool {
		return g.Pending > 0 || reader.ID(g.LastDeliveredID).Compare(reader.ID(r.Last)) < 0
	})
}
