package relaytest

import (
	"fmt"
	"testing"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// Start runs a relay until the test ends.
func Start(t testing.TB, cfg relayserver.Config) *relayserver.Server {
	t.Helper()
	server, err := relayserver.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// Faults parses text as relayserver.ParseFaults does.
func Faults(t testing.TB, text string) []relayserver.Fault {
	t.Helper()
	faults, err := relayserver.ParseFaults(text)
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

// Log holds identity frames with the seqs from first to last. It has not
// ended.
func Log(t testing.TB, first, last event.Seq) *relayserver.MemoryLog {
	t.Helper()
	log := relayserver.NewMemoryLog(0)
	Extend(t, log, first, last)
	return log
}

// Extend appends identity frames with the seqs from first to last.
func Extend(t testing.TB, log *relayserver.MemoryLog, first, last event.Seq) {
	t.Helper()
	for seq := first; seq <= last; seq++ {
		if err := log.Append(seq, Identity(seq)); err != nil {
			t.Fatal(err)
		}
	}
}

// Identity is a valid #identity frame.
func Identity(seq event.Seq) []byte {
	return Frame("#identity", map[string]any{
		"seq": int64(seq), "did": "did:plc:aaaabbbbccccddddeeeeffff",
		"time": "2026-01-02T03:04:05.000Z", "handle": fmt.Sprintf("n%d.example", seq),
	})
}

// Frame is a message of type t with this payload. It panics on values that
// DAG-CBOR does not have.
func Frame(t string, payload map[string]any) []byte {
	head, err := dagcbor.Marshal(map[string]any{"op": 1, "t": t})
	if err != nil {
		panic(err)
	}
	body, err := dagcbor.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return append(head, body...)
}

// Seq is the seq in a frame, 0 when it has none or is not two maps.
func Seq(frame []byte) event.Seq {
	end, _, err := dagcbor.Skip(frame, 0)
	if err != nil {
		return 0
	}
	var payload map[string]any
	if dagcbor.Unmarshal(frame[end:], &payload) != nil {
		return 0
	}
	seq, _ := payload["seq"].(int64)
	return event.Seq(seq)
}
