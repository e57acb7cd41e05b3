package pipeline_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// commitOf is a commit without ops: enough for a repository and a rev.
func commitOf(did, rev string, seq event.Seq, at time.Time) []byte {
	return join(header("commit"), head(5, 6),
		text("ops"), head(4, 0), text("rev"), text(rev), text("seq"), head(0, uint64(seq)),
		text("repo"), text(did), text("time"), text(at.Format(time.RFC3339)),
		text("blocks"), head(2, 0))
}

const repoA, repoB = "did:plc:aaaabbbbccccddddeeeeffff", "did:plc:gggghhhhiiiijjjjkkkkllll"

// Q8: a host that became another relay repeats events under new numbers. They
// are known again by repository and rev.
func TestQ8MovedHostDoesNotRepeatCommits(t *testing.T) {
	hourAgo := epoch.Add(-time.Hour)
	old := only(
		commitOf(repoA, "3kaaaaaaaaa2a", 10, epoch),
		commitOf(repoB, "3kaaaaaaaab2a", 11, epoch))
	moved := waits( // for so far a leap has to be confirmed
		commitOf(repoA, "3kaaaaaaaa22a", 9_000_001, hourAgo), // before what is known: a repeat
		commitOf(repoA, "3kaaaaaaaaa2a", 9_000_002, hourAgo), // known
		commitOf(repoB, "3kaaaaaaaab2a", 9_000_003, hourAgo), // known
		commitOf(repoB, "3kaaaaaaaac2a", 9_000_004, hourAgo), // new
		commitOf(repoA, "3kaaaaaaaaa2a", 9_000_005, epoch.Add(time.Second)))
	r := newSetup(old, moved, moved, moved)
	synctest.Test(t, func(t *testing.T) { r.runFor(t, time.Minute) })
	if got := brief(r.sink.seqs()); got != "[10 11 9000004 9000005]" {
		t.Errorf("stored %s", got)
	}
	if r.seen.alarmed(event.AlarmRenumbered) != 1 || r.seen.total().Repeats != 3 {
		t.Errorf("alarms %v, repeats %d", r.seen.alarms, r.seen.total().Repeats)
	}
	if r.sink.cursor != 9_000_005 {
		t.Errorf("cursor %d", r.sink.cursor)
	}
}

// In steady flow a known rev under a new number is delivered: only the
// sequence decides.
func TestQ8RevsDoNotJudgeWithoutAMove(t *testing.T) {
	again := func(_ context.Context, from event.Position, send func(...[]byte) bool) {
		for i := range event.Seq(5) {
			send(commitOf(repoA, "3kaaaaaaaaa2a", from.Seq+i+1, epoch))
		}
	}
	r := newSetup(again, again)
	r.run(t)
	if got := brief(r.sink.seqs()); got != "[1 2 3 4 5 6 7 8 9 10]" {
		t.Errorf("stored %s", got)
	}
}
