package audit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/verify"
)

// Two streams are compared where both have come, or where it is asked for.
func TestAgainstAnother(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	add(server, "a", 101, 102, 103, 104)
	add(server, "b", 102, 103, 104, 105)
	a, b := open(t, server, "a", 1), open(t, server, "b", 1)
	at := func(seq int) place.Place {
		when := time.UnixMilli(int64(1767323000000 + 1000*seq))
		return place.Place{Kind: place.Time, Time: when, Text: fmt.Sprint(seq, " by its time")}
	}
	for what, v := range map[string]struct {
		stretch       Stretch
		items, others int64
		find          map[verify.Rule]int64
	}{
		"what both hold":         {Stretch{}, 3, 3, nil},
		"one lacks the end":      {seqs(102, 105), 3, 4, map[verify.Rule]int64{verify.AgainstMissing: 1}},
		"one lacks the start":    {seqs(101, 104), 4, 3, map[verify.Rule]int64{verify.AgainstExtra: 1}},
		"neither has it":         {seqs(90, 104), 4, 3, map[verify.Rule]int64{verify.AgainstExtra: 1, verify.RangeTrimmed: 2}},
		"times that one has not": {Stretch{From: at(101), To: at(104)}, 3, 3, map[verify.Rule]int64{verify.RangeTrimmed: 1}},
		"times that both have":   {Stretch{From: at(102), To: at(104)}, 3, 3, nil},
	} {
		sum, err := Against(t.Context(), a, b, v.stretch, Options{})
		finds(t, what, sum, err, v.find)
		if sum.Items != v.items || sum.Others != v.others || int64(len(sum.Lacks)) != v.find[verify.RangeTrimmed] || sum.Cursor != nil {
			t.Errorf("%s: %d and %d entries, lacks %q", what, sum.Items, sum.Others, sum.Lacks)
		}
	}
}

// What cannot be compared is no verdict, and the error says which stream it is about.
func TestAgainstNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	add(server, "a", 101, 102)
	a, b := open(t, server, "a", 1), open(t, server, "b", 1)
	if _, err := Against(t.Context(), a, a, Stretch{}, Options{}); !errors.Is(err, ErrItself) {
		t.Errorf("the same stream: %v", err)
	}
	_, err := Against(t.Context(), a, b, Stretch{}, Options{})
	if m, ok := errors.AsType[*MissingStream](err); !ok || m.Key != "b" || !m.Other {
		t.Errorf("the other is missing: %v", err)
	}
	_, err = Against(t.Context(), b, a, Stretch{}, Options{})
	if m, ok := errors.AsType[*MissingStream](err); !ok || m.Key != "b" || m.Other {
		t.Errorf("the first is missing: %v", err)
	}
	server.Do("XGROUP", "CREATE", "b", "g", "0", "MKSTREAM")
	_, err = Against(t.Context(), a, b, Stretch{}, Options{})
	if n, ok := errors.AsType[*Nothing](err); !ok || !n.Other {
		t.Errorf("the other is empty: %v", err)
	}
	add(server, "b", 7)
	sum, err := Against(t.Context(), a, b, Stretch{}, Options{})
	if sum != nil || fault.ClassOf(err) != fault.Unreachable || !strings.Contains(fault.HintOf(err), "this one: it holds seq 101 to 102, ids ") || !strings.Contains(fault.HintOf(err), "; the other: it holds seq 7 to 7, ids ") {
		t.Errorf("nothing in common: %+v, %v, hint %q", sum, err, fault.HintOf(err))
	}
}

// A partition is a part of its set. The key of the same name on another server, or in
// another database, is another stream.
func TestAgainstItselfByAnotherName(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t) // the embedded server does not say who it is
	server, second := redistest.Start(t), redistest.Start(t)
	add(server, "s:{0}", 101)
	add(server, "s:{1}", 102)
	add(second, "s:{1}", 102)
	set := open(t, server, "s", 2)
	if _, err := Against(t.Context(), set, open(t, server, "s:{0}", 1), Stretch{}, Options{}); !errors.Is(err, ErrItself) {
		t.Errorf("a partition of the set: %v", err)
	}
	if sum, err := Against(t.Context(), open(t, server, "s:{1}", 1), open(t, second, "s:{1}", 1), Stretch{}, Options{}); err != nil || sum.Checked != 1 {
		t.Errorf("on another server: %+v, %v", sum, err)
	}
}

// Two streams that are being written are compared up to where both were at the
// start. What comes to one of them meanwhile is not missing in what was read.
func TestAgainstEndsWhereReadingBegan(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	add(server, "a", 101, 102, 103)
	stream := open(t, server, "a", 1)
	x, err := stretchOf(t.Context(), stream, place.Place{}, place.Place{})
	if err != nil {
		t.Fatal(err)
	}
	for seq := 104; seq < 400; seq++ {
		add(server, "a", seq)
	}
	if span, err := spanOf(t.Context(), stream, x); err != nil || span != (verify.Span{From: 101, To: 103}) {
		t.Errorf("compares %+v, %v; want seqs 101 to 103", span, err)
	}
}

// A set is compared with one stream as far as all its partitions have come.
func TestAgainstASet(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t) // the embedded server does not tell how many entries were added
	server := redistest.Start(t)
	add(server, "one", 101, 102, 103, 104, 105, 106)
	add(server, "set:{0}", 101, 103, 104)
	add(server, "set:{1}", 102, 106)
	one, set := open(t, server, "one", 1), open(t, server, "set", 2)
	for what, pair := range map[string][2]*reader.Reader{"the set first": {set, one}, "the set as the other": {one, set}} {
		sum, err := Against(t.Context(), pair[0], pair[1], Stretch{}, Options{})
		finds(t, what, sum, err, nil)
		if sum.Checked != 4 || sum.First.Seq != 101 || sum.Last.Seq != 104 {
			t.Errorf("%s: %d pairs, %+v to %+v", what, sum.Checked, sum.First, sum.Last)
		}
	}
	sum, err := Against(t.Context(), one, set, seqs(104, 106), Options{})
	finds(t, "what one partition has not stored yet, asked for", sum, err, map[verify.Rule]int64{verify.AgainstExtra: 1})
}
