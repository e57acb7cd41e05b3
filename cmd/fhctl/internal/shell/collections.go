package shell

import (
	"context"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// completionEntries is what completion of collections looks at.
const completionEntries = 1000

// CompleteCollections offers what the stream's newest entries hold.
func CompleteCollections(a *Env) cobra.CompletionFunc {
	return a.CompleteFrom(func(ctx context.Context, r *reader.Reader) map[string]string {
		names := map[string]string{}
		for collection, n := range collectionsSeen(ctx, r) {
			names[collection] = fmt.Sprintf("%d of the newest ops", n)
		}
		return names
	})
}

// collectionsSeen counts ops by collection in the stream's newest entries. Only
// names that a shell takes as one plain word are kept: records are untrusted.
func collectionsSeen(ctx context.Context, stream *reader.Reader) map[string]int {
	seen := map[string]int{}
	var outline entry.Outline
	for stored, err := range stream.Latest(ctx, completionEntries) {
		if err != nil {
			return nil
		}
		if outline.Read(entry.FieldsOf(stored.Fields).Data) != nil {
			continue
		}
		for i := range outline.Ops {
			seen[outline.Ops[i].Collection()]++
		}
	}
	maps.DeleteFunc(seen, func(name string, _ int) bool { return !syntax.ValidNSID([]byte(name)) })
	return seen
}
