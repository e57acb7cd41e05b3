package capture_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/sim"
)

// Record frames in a file, and read them back.
func Example() {
	dir, err := os.MkdirTemp("", "capture")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "minute.fhz")
	traffic, err := sim.New(sim.Config{Count: 3})
	if err != nil {
		log.Fatal(err)
	}
	defer traffic.Close()

	writer, err := capture.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	last := event.Seq(0)
	for range 3 {
		seq, message, err := traffic.Next(context.Background(), last)
		if err != nil {
			log.Fatal(err)
		}
		last = seq
		if err := writer.Write(message); err != nil {
			log.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil { // only now the file is there
		log.Fatal(err)
	}

	reader, err := capture.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Close()
	for message, err := range reader.Frames() {
		if err != nil {
			log.Fatal(err) // *capture.Damage: the frames before it are good
		}
		fmt.Println(frame.PeekSeq(message))
	}
	// Output:
	// 7000000000 true
	// 7000000001 true
	// 7000000002 true
}
