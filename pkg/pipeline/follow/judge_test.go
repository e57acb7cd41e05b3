package follow_test

import (
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
)

// Q2, Q3, Q6: what repeats say of a connection, whether they come at its beginning or
// later.
func TestJudge(t *testing.T) {
	const last = 100
	repeats := func(n int) (seqs []event.Seq) {
		for i := range n {
			seqs = append(seqs, event.Seq(1+i%90))
		}
		return seqs
	}
	for name, tc := range map[string]struct {
		reached  bool
		seqs     []event.Seq
		want     follow.Verdict // of the last
		patience time.Duration
		overdue  follow.Verdict
	}{
		"the last event again":                   {false, []event.Seq{last}, follow.Boundary, follow.RepeatTime, follow.Boundary},
		"the end of a replay from below":         {false, []event.Seq{7, 8, last}, follow.Boundary, follow.RepeatTime, follow.Boundary},
		"a connection begins below":              {false, []event.Seq{7}, follow.First, follow.StrayTime, follow.Restarted},
		"a relay that ignores the cursor":        {false, repeats(5000), follow.Repeat, follow.StrayTime, follow.Restarted},
		"replay meets live":                      {true, []event.Seq{7}, follow.First, follow.RepeatTime, follow.Regressed},
		"some repeats later":                     {true, repeats(999), follow.Repeat, follow.RepeatTime, follow.Regressed},
		"many repeats later":                     {true, repeats(1000), follow.Regressed, follow.RepeatTime, follow.Regressed},
		"repeats, then the last event once more": {true, append(repeats(999), last, 7), follow.First, follow.RepeatTime, follow.Regressed},
	} {
		t.Run(name, func(t *testing.T) {
			var j follow.Judge
			if !j.Enter(3) || j.Enter(3) {
				t.Error("a connection is another one once")
			}
			if tc.reached && !j.Fresh() {
				t.Error("the first fresh event is the first")
			}
			var got follow.Verdict
			for _, seq := range tc.seqs {
				got = j.Old(seq, last, false)
			}
			if got != tc.want || j.Patience() != tc.patience || j.Overdue() != tc.overdue {
				t.Errorf("verdict %d, %s, then %d; want %d, %s, then %d", got, j.Patience(), j.Overdue(), tc.want, tc.patience, tc.overdue)
			}
			if j.Enter(4); j.Reached() || j.Old(7, last, false) != follow.First || j.Lowest() != 7 {
				t.Error("another connection begins anew")
			}
		})
	}
}

func TestJudgeContradicted(t *testing.T) {
	var j follow.Judge
	j.Enter(1)
	for i, want := range []follow.Verdict{follow.First, follow.Repeat, follow.Contradicted} {
		if got := j.Old(event.Seq(10+i), 100, true); got != want {
			t.Errorf("event %d inside a leap that was believed: %d, want %d", i, got, want)
		}
	}
}

func TestJudgeAllocatesNothing(t *testing.T) {
	var j follow.Judge
	seq := event.Seq(0)
	if n := testing.AllocsPerRun(1000, func() {
		j.Enter(1)
		seq++
		j.Old(seq%50, 100, false)
		j.Fresh()
	}); n != 0 {
		t.Errorf("%v allocations for each event", n)
	}
}
