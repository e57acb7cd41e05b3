package stats

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// eventful is a stream of which everything can be told: a group with pending
// entries, one that lost some, losses, dead letters, and a limit that was passed.
func eventful() *facts {
	f := madeUp()
	g := &f.groups[0]
	g.Pending, g.OldestPending, g.OldestPendingIdle = 1, entryAt(100*time.Second, 7900).ID, 3*time.Second
	g.deliveries = reader.Redeliveries{Examined: 1, Entries: 1, Max: 3}
	f.groups = append(f.groups, groupFacts{Group: reader.Group{
		Name: "sleepers", LastDelivered: entryAt(2000*time.Second, 6000).ID, EntriesRead: -1, Lag: 1000,
		Consumers: []reader.Consumer{{Name: "s1", Pending: 2, Idle: time.Hour, Inactive: 2 * time.Hour}},
	}, unread: entryAt(999*time.Second, 7001)})
	f.ledgerKey = "firehose:python_cursor:losses"
	f.losses = []reader.Loss{{
		Trim:  event.Trim{Group: "sleepers", Unread: 7, Pending: 1, From: 6001, To: 6010},
		Since: noon.Add(-time.Hour), Until: noon.Add(-time.Minute), ID: entryAt(time.Minute, 0).ID,
	}}
	return f
}

// The JSON is what programs read: no key goes, none changes its meaning (docs/json.md).
// With -update the file is written anew.
func TestReportsAreTheJSONThatTheyWere(t *testing.T) {
	lag, pending, behind, age := int64(50), int64(0), 3600.0, time.Minute
	limits := Limits{Lag: &lag, LagSeconds: &behind, Pending: &pending, CursorAge: &age}
	one := eventful().report()
	one.Checks = limits.judge(one, nil)
	nothing := (&facts{at: noon, redis: "redis://localhost:6379", streamKey: "s", cursorKey: "c", added: -1,
		memoryWhy: "not allowed", lossesWhy: "not allowed", cursorWhy: "it is a list", dead: reader.DeadLetters{Why: "not allowed"}}).report()
	nothing.Checks = limits.judge(nothing, nil)
	other := madeUp()
	other.groups, other.cursor.Seq, other.cursor.Raw, other.bounds.Last = nil, 7000, "7000", entryAt(-time.Second, 8001)
	set := addUp([]*Report{eventful().report(), other.report()}, "firehose:events:{0-1}", "firehose:python_cursor:{0-1}", 2000)
	set.Checks = limits.judge(set, nil)
	for name, r := range map[string]*Report{"stream": one, "nothing": nothing, "set": set} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			out := json.NewEncoder(&got)
			out.SetIndent("", "  ")
			if err := out.Encode(r); err != nil {
				t.Fatal(err)
			}
			file := fmt.Sprintf("testdata/%s.json", name)
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s is not what it was: %v\n%s", file, err, got.Bytes())
			}
		})
	}
}
