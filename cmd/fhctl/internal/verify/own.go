package verify

import (
	"context"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// ownCursor is the stream with the cursor that is the stream's; see endpoint.WithOwnCursor.
func (r *verifyRun) ownCursor(ctx context.Context, stream *reader.Reader) (*reader.Reader, error) {
	if r.against != "" {
		return stream, nil
	}
	own, stream, err := endpoint.WithOwnCursor(ctx, r.Log, r.cfg, stream)
	r.replayed = own != r.cfg
	return stream, err
}

// replayMend is what to do about the cursor of a replay: ingest's is another one,
// and must not be moved for it.
func (r *verifyRun) replayMend() string {
	if !r.replayed {
		return ""
	}
	return "this is the cursor of fhctl replay, not of ingest: replay into another stream (--to-stream) and delete this one, or go on with --resume if entries were only not finished; do not move the live cursor for it"
}
