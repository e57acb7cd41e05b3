package redisstream

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Entries that some group had not read, and that something else trimmed from the
// stream's beginning while the newest stayed: fhctl's own trimming counts what it takes
// from groups, and this is counted nowhere.

// unreadRemoved looks whether the floor rises because entries were removed, and not
// because groups have acknowledged them. It tells of them; they are not read again,
// since what lies behind them would come a second time.
func (w *Writer) unreadRemoved(ctx context.Context, rises event.Seq) {
	if !w.floor.known || rises <= w.floor.seq || w.floor.seq >= event.Seq(w.stored) {
		return
	}
	group, first := w.readRemoved(ctx)
	from, to := w.floor.seq+1, first-1
	if group == "" || to < from {
		return // what cannot be asked is not known
	}
	g := gone{from: from, to: to, kept: w.acked}
	w.note(ctx, g)
	w.config.Alarm(event.AlarmRemoved, from, fmt.Sprintf(
		"something other than fhctl removed the oldest entries of %s: group %q had not read all of them, of %s, and they are not read again", w.config.StreamKey, group, g))
}

// readRemoved gives a group that has not read all that is gone from the beginning of a
// stream, where that is shorter than fhctl itself ever makes it, and the seq of the
// oldest entry left. It finds none where a server does not tell how far groups lag:
// before Redis 7. That a group has read nothing says little by itself: what lies
// between the floor and the oldest entry may be another partition's, or filtered.
func (w *Writer) readRemoved(ctx context.Context) (group string, first event.Seq) {
	length, removed, err := script.Removed(ctx, w.client, w.config.StreamKey)
	if err != nil || removed <= 0 || w.config.MaxLen > 0 && length >= w.config.MaxLen {
		return "", 0
	}
	groups, err := w.client.XInfoGroups(ctx, w.config.StreamKey).Result()
	at := slices.IndexFunc(groups, func(g redis.XInfoGroup) bool {
		return g.Lag > length || g.LastDeliveredID == "0-0" // of which the server counts only what is there
	})
	if err != nil || at < 0 {
		return "", 0
	}
	first, err = w.seqAt(ctx, "XRANGE", "-", "+")
	if err != nil {
		return "", 0
	}
	return groups[at].Name, first
}
