package place

import (
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/text"
)

// Half past one in the night in a zone two hours ahead of UTC.
var zone = time.FixedZone("there", 2*3600)
var now = time.Date(2026, 11, 30, 1, 30, 0, 0, zone)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestEachForm(t *testing.T) {
	moment := func(text string) Place { return Place{Kind: Time, Time: at(text)} }
	for text, want := range map[string]Place{
		"oldest": {Kind: Oldest}, "Oldest": {Kind: Oldest}, "newest": {Kind: Newest},
		"live": {Kind: Live}, "LIVE": {Kind: Live}, "saved": {Kind: Saved},

		"7000000123":          {Kind: Seq, Seq: 7000000123},
		"seq:7000000123":      {Kind: Seq, Seq: 7000000123},
		"seq 7000000123":      {Kind: Seq, Seq: 7000000123},
		"seq=7000000123":      {Kind: Seq, Seq: 7000000123},
		"0000000000000000012": {Kind: Seq, Seq: 12},
		"0":                   {Kind: Seq},
		"9007199254740991":    {Kind: Seq, Seq: event.MaxSeq},
		"seq:1796000000":      {Kind: Seq, Seq: 1796000000},
		"seq:1767225600000":   {Kind: Seq, Seq: 1767225600000},
		"20261130":            {Kind: Seq, Seq: 20261130},
		"8,531,649,152":       {Kind: Seq, Seq: 8531649152}, // as progress and tables print it
		"seq 8,531,649,152":   {Kind: Seq, Seq: 8531649152},

		"1767225600000-0":     {Kind: ID, ID: "1767225600000-0"},
		"{3}:1767225600000-7": {Kind: ID, ID: "1767225600000-7"},
		"0-1":                 {Kind: ID, ID: "0-1"},
		"18446744073709551615-18446744073709551615": {Kind: ID, ID: "18446744073709551615-18446744073709551615"},

		// With a zone.
		"2026-11-30 08:50:45Z":           moment("2026-11-30T08:50:45Z"),
		"2026-11-30T08:50:45Z":           moment("2026-11-30T08:50:45Z"),
		"2026-11-30t08:50:45z":           moment("2026-11-30T08:50:45Z"),
		"2026-11-30T08:50:45.123Z":       moment("2026-11-30T08:50:45.123Z"),
		"2026-11-30T08:50:45.123456789Z": moment("2026-11-30T08:50:45.123456789Z"),
		"2026-11-30T08:50:45+05:30":      moment("2026-11-30T08:50:45+05:30"),
		"2026-11-30 08:50:45 +0530":      moment("2026-11-30T08:50:45+05:30"),
		"2026-11-30 08:50:45 +05:30":     moment("2026-11-30T08:50:45+05:30"),
		"2026-11-30 08:50:45.5 -0100":    moment("2026-11-30T08:50:45.5-01:00"),
		"2026-11-30T08:50Z":              moment("2026-11-30T08:50:00Z"),
		"08:55Z":                         moment("2026-11-29T08:55:00Z"),
		"23:15:10.5Z":                    moment("2026-11-29T23:15:10.5Z"),
		// Local.
		"2026-11-30 08:50:45": moment("2026-11-30T08:50:45+02:00"),
		"2026-11-30T08:50":    moment("2026-11-30T08:50:00+02:00"),
		"2026-11-30 08:50":    moment("2026-11-30T08:50:00+02:00"),
		"2026-11-30":          moment("2026-11-30T00:00:00+02:00"),
		"08:55":               moment("2026-11-29T08:55:00+02:00"),
		"8:55":                moment("2026-11-29T08:55:00+02:00"),
		"01:29:59":            moment("2026-11-30T01:29:59+02:00"),
		"01:29:59.250":        moment("2026-11-30T01:29:59.25+02:00"),
		"01:30":               moment("2026-11-30T01:30:00+02:00"),
		"11-29 23:10":         moment("2026-11-29T23:10:00+02:00"),
		"12-24 23:10":         moment("2025-12-24T23:10:00+02:00"),
		"now":                 {Kind: Time, Time: now},
		"today":               moment("2026-11-30T00:00:00+02:00"),
		"yesterday":           moment("2026-11-29T00:00:00+02:00"),
		"Yesterday":           moment("2026-11-29T00:00:00+02:00"),
		"yesterday 08:55":     moment("2026-11-29T08:55:00+02:00"),
		"today 23:00":         moment("2026-11-30T23:00:00+02:00"),
		// Before now.
		"10m": moment("2026-11-30T01:20:00+02:00"), "-10m": moment("2026-11-30T01:20:00+02:00"),
		"now-10m": moment("2026-11-30T01:20:00+02:00"), "10m ago": moment("2026-11-30T01:20:00+02:00"),
		"3h": moment("2026-11-29T22:30:00+02:00"), "1h30m": moment("2026-11-30T00:00:00+02:00"),
		"1w": moment("2026-11-23T01:30:00+02:00"), "1w2d": moment("2026-11-21T01:30:00+02:00"),
		"1.5d2h": moment("2026-11-28T11:30:00+02:00"), "2d": moment("2026-11-28T01:30:00+02:00"),
		"7.5 h": moment("2026-11-29T18:00:00+02:00"), "4 min": moment("2026-11-30T01:26:00+02:00"),
		"35 s": moment("2026-11-30T01:29:25+02:00"), "0s": {Kind: Time, Time: now},
	} {
		want.Text = text
		got, err := Parse(text, now)
		same := got.Time.Equal(want.Time)
		got.Time, want.Time = time.Time{}, time.Time{}
		if err != nil || got != want || !same {
			t.Errorf("%q is %+v (time right: %v), %v; want %+v", text, got, same, err, want)
		}
	}
}

func TestWhatHasNoForm(t *testing.T) {
	for _, text := range []string{
		"", " ", "tomorrow", "seq:", "seq:x", "seq:-1", "seq: 5", "9007199254740992", "1-", "-1-1", "--5m", "9999d", "3d-2h", "1e400d",
		"18446744073709551616-0", "0-18446744073709551616", "2026-13-01", "2026-02-30", "٣", " 5", "5 ", "5m ", "1h  30m", "m", "5x",
		"24:00", "08:60", "8:5", "1969-12-31", "9999-12-31", "now 08:55", "-", "now-", " ago", "ago", "yesterday ", "2026-11-30 ", "10m\n",
		"521w4d", "{1}:5", "frame 12", "NaNs", "+5m", ".5h", "1,000",
	} {
		got, err := Parse(text, now)
		if err == nil {
			t.Errorf("%q is taken for %+v", text, got)
			continue
		}
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("%q: class %v, hint %q, %q", text, fault.ClassOf(err), fault.HintOf(err), err)
		}
	}
}

// A number that a clock shows is not taken for a seq: which it is must be said.
func TestANumberOfAClockIsNoSeq(t *testing.T) {
	for digits, hints := range map[string][]string{
		"1796000000":          {"2026-11-30T00:53:20Z", "seq:1796000000"},
		"1500000000":          {"2017-07-14T02:40:00Z", "seq:1500000000"},
		"1767225600000":       {"2026-01-01T00:00:00Z", "1767225600000-0", "seq:1767225600000"},
		"1767225600000000":    {"2026-01-01T00:00:00Z", "seq:1767225600000000"},
		"1767225600000000000": {"2026-01-01T00:00:00Z"},
	} {
		_, err := Parse(digits, now)
		for _, want := range hints {
			if err == nil || !strings.Contains(fault.HintOf(err), want) {
				t.Errorf("%s: %v, hint %q lacks %q", digits, err, fault.HintOf(err), want)
			}
		}
	}
	for _, digits := range []string{"1483228799", "1828000000", "7000000123", "23000000000", "123456789", "4000000000000"} {
		if p, err := Parse(digits, now); err != nil || p.Kind != Seq {
			t.Errorf("%s: %+v, %v", digits, p, err)
		}
	}
	for _, seq := range []event.Seq{1, 1796000000, 7000000123, 1767225600000, event.MaxSeq} {
		if p, err := Parse(Text(seq, now), now); err != nil || p.Seq != seq {
			t.Errorf("%s, as it is printed, is %+v, %v", Text(seq, now), p, err)
		}
	}
}

// What is printed can be typed.
func TestPrintedTimesAndSpansAreRead(t *testing.T) {
	for _, d := range []time.Duration{1200 * time.Millisecond, 35 * time.Second, 4 * time.Minute, 7*time.Hour + 30*time.Minute, 75 * time.Hour} {
		got, ok := Duration(text.Span(d))
		if diff := got - d; !ok || diff.Abs() > d/10 {
			t.Errorf("%q is %s, %v; want %s", text.Span(d), got, ok, d)
		}
	}
	stored := time.Date(2026, 11, 29, 23, 10, 5, 120e6, time.UTC)
	for _, layout := range []string{
		"2006-01-02 15:04:05Z", "2006-01-02T15:04:05.000Z", time.RFC3339, time.RFC3339Nano, "2006-01-02T15:04:05.000Z07:00",
	} {
		p, err := Parse(stored.Format(layout), now)
		if want, _ := time.Parse(layout, stored.Format(layout)); err != nil || !p.Time.Equal(want) {
			t.Errorf("%s: %v, %v", stored.Format(layout), p.Time, err)
		}
	}
}

func TestBehindAndOpen(t *testing.T) {
	parse := func(text string) Place {
		p, err := Parse(text, now)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, pair := range [][2]string{{"20", "10"}, {"2h", "3h"}, {"5-0", "4-9"}, {"5-10", "5-9"}, {"2026-11-30", "2026-11-29"}} {
		if !parse(pair[0]).Behind(parse(pair[1])) || parse(pair[1]).Behind(parse(pair[0])) || parse(pair[0]).Behind(parse(pair[0])) {
			t.Errorf("%q is not behind %q alone", pair[0], pair[1])
		}
	}
	if parse("20").Behind(parse("1h")) || parse("live").Behind(parse("oldest")) {
		t.Error("places of different kinds are compared")
	}
	for text, want := range map[string]bool{"oldest": true, "1": false, "newest": false, "1h": false, "live": false} {
		if parse(text).Open() != want {
			t.Errorf("%q: open is %v", text, !want)
		}
	}
	if !(Place{}).Open() {
		t.Error("nothing given bounds something")
	}
}

// A place says which moment was understood, unless its text does.
func TestAPlaceSaysItsMoment(t *testing.T) {
	for text, want := range map[string]string{
		"10m": "10m (2026-11-29 23:20:00Z)", "08:55": "08:55 (2026-11-29 06:55:00Z)", "2026-11-30": "2026-11-30 (2026-11-29 22:00:00Z)",
		"2026-11-30T08:50:45+02:00": "2026-11-30T08:50:45+02:00 (2026-11-30 06:50:45Z)",
		"2026-11-30T08:50:45Z":      "2026-11-30T08:50:45Z", "2026-11-30 08:50:45.5Z": "2026-11-30 08:50:45.5Z",
		"7000000123": "7000000123", "oldest": "oldest", "1767225600000-0": "1767225600000-0",
	} {
		if p, err := Parse(text, now); err != nil || p.String() != want {
			t.Errorf("%q says %q, %v; want %q", text, p, err, want)
		}
	}
}

// In a zone that changes its clock, days are days and not 24 hours.
func TestDaysAcrossAClockChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	morning := time.Date(2026, 10, 25, 12, 0, 0, 0, berlin) // the clock went back at 3
	p, err := Parse("yesterday", morning)
	if err != nil || !p.Time.Equal(at("2026-10-23T22:00:00Z")) {
		t.Errorf("%v, %v", p.Time, err)
	}
	if p, err = Parse("today", morning); err != nil || !p.Time.Equal(at("2026-10-24T22:00:00Z")) {
		t.Errorf("%v, %v", p.Time, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"oldest", "seq:1", "1767225600000-0", "2026-11-30 08:50:45Z", "08:55", "1w", "7.5 h", "yesterday 08:55", "1796000000", "{1}:5-0", "11-29 23:10"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text, now)
		if err != nil {
			if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		set := 0
		for _, is := range []bool{p.Seq != 0, p.ID != "", !p.Time.IsZero()} {
			if is {
				set++
			}
		}
		if p.Text != text || p.Kind == Unset || set > 1 {
			t.Errorf("%q is %+v", text, p)
		}
		switch p.Kind {
		case Seq:
			if again, err := Parse(Text(p.Seq, now), now); err != nil || again.Seq != p.Seq {
				t.Errorf("%q: %+v, %v", text, again, err)
			}
		case Time:
			if again, err := Parse(p.Time.UTC().Format(time.RFC3339Nano), now); err != nil || !again.Time.Equal(p.Time) {
				t.Errorf("%q: %v, then %v, %v", text, p.Time, again.Time, err)
			}
		}
		_ = p.String()
	})
}
