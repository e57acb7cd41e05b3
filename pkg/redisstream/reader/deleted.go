package reader

import (
	"context"
	"fmt"
	"strings"

	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// LastDeleted is the highest id that XDEL ever took out of the stream; trimming
// does not count. It is "" when there is none, and where the server does not
// tell: before Redis 7, and in the embedded server.
func (r *Reader) LastDeleted(ctx context.Context) (ID, error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	row, err := r.client.Do(once, "xinfo", "stream", r.config.StreamKey).Result()
	if err != nil && strings.Contains(err.Error(), "no such key") {
		return "", fmt.Errorf("read stream %s: %w", r.config.StreamKey, ErrNoStream)
	}
	if err != nil {
		return "", r.config.Classed(ctx, "read stream "+r.config.StreamKey, err)
	}
	if id := conn.RowOf(row).Text("max-deleted-entry-id"); id != "0-0" {
		return ID(id), nil
	}
	return "", nil
}
