package relayserver

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
)

func TestParseFaultsReads(t *testing.T) {
	got, err := ParseFaults(" drop@1000, stall@2000:5s,garbage@10*3:8,drop%500,close%7*2:1012 ,")
	if err != nil {
		t.Fatal(err)
	}
	want := []Fault{
		{Kind: "drop", At: 1000},
		{Kind: "stall", At: 2000, Arg: "5s"},
		{Kind: "garbage", At: 10, Times: 3, Arg: "8"},
		{Kind: "drop", Every: 500},
		{Kind: "close", Every: 7, Times: 2, Arg: "1012"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParseFaultsRefuses(t *testing.T) {
	for _, text := range []string{
		"drop", "drop@", "drop@0", "drop@-1", "drop@x", "bang@1", "drop@1:x", "stall@1:5", "stall@1:-5s",
		"close@1:x", "repeat@1:0", "http@1:99", "http@1:x", "drop@1*0", "drop@1*x", "@1", "oversize@1:99999999999",
	} {
		_, err := ParseFaults(text)
		if fault.ClassOf(err) != fault.Usage || err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v, want a usage error naming it", text, err)
		}
	}
}

func FuzzParseFaults(f *testing.F) {
	f.Add("drop@1000,stall%2000*3:5s")
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := ParseFaults(text)
		if err != nil {
			return
		}
		for _, each := range faults {
			if _, err := ready(each); err != nil {
				t.Errorf("accepted %+v, which is not ready: %v", each, err)
			}
		}
	})
}

func TestStrikeIsDue(t *testing.T) {
	type look struct {
		ordinal int64
		conn    uint64
		want    bool
	}
	for name, test := range map[string]struct {
		fault Fault
		looks []look
	}{
		"once": {Fault{Kind: "drop", At: 3}, []look{{2, 1, false}, {3, 1, true}, {3, 2, false}, {4, 2, false}}},
		"late": {Fault{Kind: "drop", At: 3}, []look{{9, 1, true}, {10, 1, false}}},
		"poison": {Fault{Kind: "garbage", At: 3, Times: 2},
			[]look{{3, 1, true}, {3, 1, false}, {3, 2, true}, {3, 3, false}}},
		"every": {Fault{Kind: "drop", Every: 3},
			[]look{{1, 1, false}, {3, 1, true}, {3, 2, false}, {4, 2, false}, {7, 2, true}, {9, 2, true}}},
		"every, bounded": {Fault{Kind: "drop", Every: 2, Times: 1}, []look{{2, 1, true}, {4, 2, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ready(test.fault)
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range test.looks {
				if got := s.due(l.ordinal, l.conn); got != l.want {
					t.Errorf("look %d: got %t, want %t", i, got, l.want)
				}
			}
		})
	}
}

func TestPaceKeepsTheRateOverTime(t *testing.T) {
	var p pace
	var asked time.Duration
	start := time.Now()
	for range 1000 {
		if d := p.wait(100_000); d > 0 {
			asked += d
			time.Sleep(d)
		}
	}
	if took := time.Since(start); took < 5*time.Millisecond {
		t.Errorf("1000 frames at 100,000/s took %v, asked for %v", took, asked)
	}
}
