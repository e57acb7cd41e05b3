package output_test

import (
	"testing"

	"github.com/fhctl/fhctl/pkg/output"
)

// BenchmarkLines is what printing costs a tail of many entries.
func BenchmarkLines(b *testing.B) {
	const like = `{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[{"action":"create","path":"app.bsky.feed.like/3kaaaaaaaaa2a","cid":"bafyreifgdu2sih3s5pcblmx3bcbrqwbxfcrqimormrj4d5bc6ynukvvqia","record":{"$type":"app.bsky.feed.like","createdAt":"2026-01-02T03:04:05.000Z","subject":{"cid":"bafyreifgdu2sih3s5pcblmx3bcbrqwbxfcrqimormrj4d5bc6ynukvvqia","uri":"at://did:plc:gggghhhhiiiijjjjkkkkllll/app.bsky.feed.post/3kaaaaaaaaa2b"}}}]}`
	e := stored(b, "commit", like)
	files, screen := output.Columns{}, output.Columns{Width: func() int { return 140 }, Color: true}
	for name, appendLine := range map[string]func([]byte, *output.Event) []byte{
		"json": output.AppendJSON, "text": files.Append, "terminal": screen.Append,
	} {
		b.Run(name, func(b *testing.B) {
			var line []byte
			b.ReportAllocs()
			for b.Loop() {
				if line = appendLine(line[:0], e); len(line) < 100 {
					b.Fatalf("a short line: %q", line)
				}
			}
		})
	}
}
