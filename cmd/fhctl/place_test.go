package main

import (
	"testing"
	"time"
)

func TestPlacesAreReadAlikeByEveryCommand(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]place{
		"oldest":               {kind: placeOldest},
		"live":                 {kind: placeLive},
		"7000000123":           {kind: placeSeq, seq: 7000000123},
		"seq:7000000123":       {kind: placeSeq, seq: 7000000123},
		"0000000000000000012":  {kind: placeSeq, seq: 12},
		"0":                    {kind: placeSeq},
		"1767225600000-0":      {kind: placeID, id: "1767225600000-0"},
		"2026-01-01T00:00:00Z": {kind: placeTime, time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		"2026-01-01":           {kind: placeTime, time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		"10m":                  {kind: placeTime, time: now.Add(-10 * time.Minute)},
		"-10m":                 {kind: placeTime, time: now.Add(-10 * time.Minute)},
		"now-10m":              {kind: placeTime, time: now.Add(-10 * time.Minute)},
		"1.5d2h":               {kind: placeTime, time: now.Add(-38 * time.Hour)},
	} {
		want.text = text
		if got, ok := parsePlace(text, now); !ok || got != want {
			t.Errorf("%q is %+v, %v; want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "yesterday", "seq:", "seq:x", "seq:-1", "9007199254740992", "1-", "-1-1", "--5m", "now", "9999d", "3d-2h", "1e400d",
		"18446744073709551616-0", "2026-13-01", "٣", " 5", "5 ",
	} {
		if got, ok := parsePlace(text, now); ok {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}
