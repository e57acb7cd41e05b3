package redisstream

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
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
	group, n, first, err := w.readRemoved(ctx)
	from, to := w.floor.seq+1, first-1
	if err != nil || n == 0 || to < from {
		return // what cannot be asked is not known
	}
	g := gone{from: from, to: to, kept: w.acked}
	w.note(ctx, g)
	w.config.Alarm(event.AlarmRemoved, from, fmt.Sprintf(
		"something other than fhctl removed the oldest entries of %s: group %q had not read %d of them, of %s, and they are not read again", w.config.StreamKey, group, n, g))
}

// readRemoved counts the entries that are gone from the beginning of a stream, shorter
// than fhctl itself ever makes it, and that a group had not read; of the group that
// misses most. first is the seq of the oldest entry left. It counts nothing where a
// server does not tell: before Redis 7.
func (w *Writer) readRemoved(ctx context.Context) (group string, unread int64, first event.Seq, err error) {
	stream, err := w.client.XInfoStream(ctx, w.config.StreamKey).Result()
	if err != nil || stream.EntriesAdded == 0 || w.config.MaxLen > 0 && stream.Length >= w.config.MaxLen {
		return "", 0, 0, err
	}
	first, ok := seqOf(stream.FirstEntry)
	removed := stream.EntriesAdded - stream.Length
	if !ok || removed <= 0 {
		return "", 0, 0, nil
	}
	groups, err := w.client.XInfoGroups(ctx, w.config.StreamKey).Result()
	for _, g := range groups {
		if tellsRead(g) && removed-g.EntriesRead > unread {
			group, unread = g.Name, removed-g.EntriesRead
		}
	}
	return group, unread, first, err
}

// tellsRead reports whether a server knows how many entries a group has read: not of one
// that was made, or moved, in the middle of a stream.
func tellsRead(g redis.XInfoGroup) bool {
	return g.EntriesRead > 0 || g.LastDeliveredID == "0-0"
}
