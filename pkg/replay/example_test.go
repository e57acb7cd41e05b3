package replay_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/replay"
	"github.com/fhctl/fhctl/pkg/sim"
)

// Record simulated traffic, and play the likes of a part of it into a capture of their
// own.
func Example() {
	dir, err := os.MkdirTemp("", "replay")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	all, likes := filepath.Join(dir, "all.fhz"), filepath.Join(dir, "likes.fhz")

	traffic, err := sim.New(sim.Config{Count: 300, Backlog: -1, Seed: 7})
	if err != nil {
		log.Fatal(err)
	}
	source := replay.NewLog(replay.LogConfig{Log: traffic, Close: traffic.Close})
	defer source.Close()
	target, err := replay.CreateCapture(replay.CaptureConfig{Path: all, Source: "sim"})
	if err != nil {
		log.Fatal(err)
	}
	whole, err := replay.Run(ctx, source, target, replay.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("recorded", whole.Taken, "events, seq", whole.First, "to", whole.Last)

	keep, err := filter.New(filter.Config{Collections: []string{"app.bsky.feed.like"}, Kinds: []string{"commit"}})
	if err != nil {
		log.Fatal(err)
	}
	wanted := replay.Selection{From: place.Place{Kind: place.Seq, Seq: 7000000100}, Filter: keep}
	recording, err := replay.OpenCapture(all, wanted.From)
	if err != nil {
		log.Fatal(err)
	}
	defer recording.Close()
	target, err = replay.CreateCapture(replay.CaptureConfig{Path: likes, Source: "sim", Selection: keep.Fingerprint()})
	if err != nil {
		log.Fatal(err)
	}
	part, err := replay.Run(ctx, recording, target, replay.Options{Selection: wanted})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("played", part.Taken, "of", part.Taken+part.Unwanted, "events, complete:", part.Complete)
	// Output:
	// recorded 300 events, seq 7000000001 to 7000000318
	// played 155 of 206 events, complete: true
}
