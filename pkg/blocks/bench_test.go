package blocks_test

import (
	"testing"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// BenchmarkFind looks for one record among ten blocks of 400 bytes, as in most
// commits.
func BenchmarkFind(b *testing.B) {
	var all []blocks.Block
	for i := range 10 {
		data := make([]byte, 400)
		data[0] = byte(i)
		all = append(all, blocks.Block{CID: syntax.SumCID(syntax.CodecDAGCBOR, data), Data: data})
	}
	car := blocks.Write(all[0].CID, all)
	f := blocks.NewFinder()
	b.SetBytes(int64(len(car)))
	b.ReportAllocs()
	for b.Loop() {
		f.Reset()
		number := f.Want(all[7].CID)
		if _, err := f.Find(car); err != nil {
			b.Fatal(err)
		}
		if _, state := f.Block(number); state != blocks.Found {
			b.Fatal("not found")
		}
	}
}
