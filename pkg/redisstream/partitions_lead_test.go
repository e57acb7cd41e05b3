package redisstream

import (
	"context"
	"sync"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// A standby asks who leads, and learns how far the leader has come, while Resume
// looks for its own place. Both use what the first partition's Writer knows. Only the
// race detector can fail here.
func TestPartitionsResumeBesideLead(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]From{
		"from the saved cursors": {},
		"live, as requested":     {Requested: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t, redistest.StartEmbedded(t), 2)
			leader, at := s.openSet(func(c *Config) { c.Writer = "a" })
			if lead, err := leader.Lead(s.Ctx()); err != nil || !lead.Leading {
				t.Fatalf("lead: %+v, %v", lead, err)
			}
			s.mustSet(leader, s.batch(at.Position, 1, 1))
			standby, err := OpenPartitions(s.Ctx(), s.config(s.partitioned, func(c *Config) { c.Writer, c.From = "b", from }))
			if err != nil {
				t.Fatal(err)
			}
			defer standby.Close()

			ctx, stop := context.WithCancel(s.Ctx())
			var others sync.WaitGroup
			others.Go(func() {
				for seq := event.Seq(2); ctx.Err() == nil; seq++ {
					if _, err := leader.Lead(ctx); err != nil {
						return
					}
					_, _ = leader.Commit(ctx, []*event.Batch{s.batch(event.AfterSeq(seq-1), seq, seq)})
				}
			})
			others.Go(func() {
				for ctx.Err() == nil {
					_, _ = standby.Lead(ctx)
				}
			})
			for range 20 {
				_, _ = standby.Resume(s.Ctx())
			}
			// With the cursors gone Resume asks what was known of them.
			for range 3 {
				for i := range s.n {
					s.Do("del", keyspace.Partition(keyspace.DefaultCursor, i))
				}
				_, _ = standby.Resume(s.Ctx())
			}
			stop()
			others.Wait()
		})
	}
}
