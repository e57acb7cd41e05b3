package redisstream

import (
	"context"

	"github.com/fhctl/fhctl/pkg/event"
)

// Sink is where batches go: a [Writer], or a [partitions.Set]. Its methods are theirs.
type Sink interface {
	Resume(ctx context.Context) (event.Resume, error)
	Commit(ctx context.Context, batches []*event.Batch) ([]event.Receipt, error)
	Poll(ctx context.Context) (seq event.Seq, ok bool, err error)
	Rebase(ctx context.Context, seq event.Seq) error
	Return(ctx context.Context, seq event.Seq) error
	Lead(ctx context.Context) (event.Lead, error)
	Refilter(fingerprint string)
	Close() error
}

// OpenSink is [Open], or [OpenPartitions] where the identity has several partitions.
func OpenSink(ctx context.Context, cfg Config) (Sink, error) {
	if cfg.Identity.Partitions > 1 {
		set, err := OpenPartitions(ctx, cfg)
		if err != nil {
			return nil, err // set would be no nil Sink
		}
		return set, nil
	}
	w, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return w, nil
}
