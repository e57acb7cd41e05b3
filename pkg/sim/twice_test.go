package sim

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
)

// As on the network, an account likes and reposts a post once, follows and blocks
// somebody once, and nobody follows himself: consumers count likes.
func TestNobodyLikesAPostTwice(t *testing.T) {
	for _, cfg := range []Config{{Count: 4000, Seed: 1}, {Count: 4000, Seed: 2, Accounts: 5}, {Count: 600, Seed: 3, Accounts: 1}} {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		seen, twice, all := map[string]bool{}, 0, 0
		for after := event.Seq(0); ; {
			seq, data, err := s.Next(context.Background(), after)
			if err != nil {
				break
			}
			after = seq
			ev := decode(t, data)
			for i := range ev.Commit.Ops {
				o := &ev.Commit.Ops[i]
				collection := string(o.Collection())
				if ev.Kind != event.KindCommit || o.Action != event.Create ||
					collection != likes && collection != reposts && collection != follows && collection != blocking {
					continue
				}
				var record struct{ Subject json.RawMessage }
				if err := json.Unmarshal(o.Record, &record); err != nil {
					t.Fatal(err)
				}
				what := string(ev.DID) + " " + collection + " " + string(record.Subject)
				if all++; seen[what] || string(record.Subject) == `"`+string(ev.DID)+`"` {
					twice++
				}
				seen[what] = true
			}
		}
		if twice > 0 || int64(all) < int64(cfg.Count)/20 {
			t.Errorf("%+v: %d of %d likes, reposts, follows and blocks are made twice, or of oneself", cfg, twice, all)
		}
	}
}
