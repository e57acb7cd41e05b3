package rejects_test

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/rejects"
)

// Keep what cannot be decoded, and read what the index says of it.
func Example() {
	base, err := os.MkdirTemp("", "rejects")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(base)
	dir := filepath.Join(base, "rejects") // Open makes it
	store, err := rejects.Open(rejects.Config{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}

	message := []byte("hello")
	var decoder frame.Decoder
	var ev event.Event
	if reject, ok := decoder.Decode(message, &ev).(*event.Reject); ok {
		if err := store.Keep(reject, message); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("kept:", store.Stats().Kept)
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}

	index, err := os.ReadFile(filepath.Join(dir, "index.jsonl"))
	if err != nil {
		log.Fatal(err)
	}
	var line rejects.Line
	if err := json.Unmarshal(index, &line); err != nil {
		log.Fatal(err)
	}
	fmt.Println(line.Reason, line.Bytes, line.File)
	// Output:
	// kept: 1
	// cbor 5 noseq-cbor-1.frame
}
