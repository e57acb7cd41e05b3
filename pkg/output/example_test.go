package output_test

import (
	"fmt"
	"log"
	"time"

	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/text"
)

func ExampleAppendJSON() {
	e := output.Event{
		Source: output.FromRelay, Kind: "account", Seq: 7000000123, Op: -1,
		At: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Sent: "2026-01-02T15:04:05Z",
		Data: `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`,
	}
	if err := e.Outline.Read(e.Data); err != nil { // whose data it is
		log.Fatal(err)
	}
	fmt.Printf("%s", output.AppendJSON(nil, &e))
	// Output: {"v":1,"source":"relay","time":"2026-01-02T15:04:05Z","kind":"account","seq":7000000123,"did":"did:plc:aaaabbbbccccddddeeeeffff","data":{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}}
}

func ExampleTable() {
	table := output.Table{Right: []int{1, 2}}
	table.Add("group", "lag", "oldest")
	table.Add("firehose-processors", text.Thousands(1234567), text.Span(95*time.Second))
	table.Add("osprey-consumers", text.Thousands(0), text.Span(0))
	for _, line := range table.Lines("") {
		fmt.Println(line)
	}
	// Output:
	// group                      lag  oldest
	// firehose-processors  1,234,567    95 s
	// osprey-consumers             0   0.0 s
}

func ExampleTemplate() {
	template, err := output.NewTemplate(`{{.seq}} {{.data.did}}`, true)
	if err != nil {
		log.Fatal(err)
	}
	line, err := template.Append(nil, &output.Event{
		Source: output.FromStream, Kind: "account", Seq: 7000000123, Op: -1,
		Data: `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", line)
	// Output: 7000000123 did:plc:aaaabbbbccccddddeeeeffff
}
