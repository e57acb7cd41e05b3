package verify_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/verify"
)

// Judge the entries of a stream one after the other; reader.Reader.Range gives them.
func ExampleStream() {
	check := verify.NewStream(verify.Config{Report: func(f verify.Finding) {
		fmt.Printf("%s %s at seq %d: %s\n", f.Severity, f.Rule, f.Seq, f.Detail)
	}})
	for _, e := range []verify.Entry{
		{ID: "1767225600000-0", Fields: []string{"type", "account", "data", `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`, "seq", "7000000123"}},
		{ID: "1767225600000-1", Fields: []string{"type", "account", "data", `{"did":"did:plc:aaaabbbbccccddddeeeeffff"}`, "seq", "7000000124"}},
		{ID: "1767225600000-2", Fields: []string{"type", "account", "data", `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`, "seq", "7000000123"}},
	} {
		if err := check.Entry(context.Background(), e); err != nil {
			log.Fatal(err)
		}
	}
	summary := check.Close()
	fmt.Println(summary.Items, "entries, clean:", summary.Clean())
	// Output:
	// error data-key at seq 7000000124: no key active
	// error seq-duplicate at seq 7000000123: stored before as 1767225600000-0
	// 3 entries, clean: false
}
