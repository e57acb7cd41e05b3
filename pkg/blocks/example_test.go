package blocks_test

import (
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// Say which blocks are wanted, walk the CAR once, and take them by their numbers.
func ExampleFinder() {
	record := []byte("\xa1\x65$type\x67example") // {"$type": "example"}
	cid := syntax.SumCID(syntax.CodecDAGCBOR, record)
	other := syntax.SumCID(syntax.CodecDAGCBOR, []byte("\xa0"))
	car := blocks.Write(cid, []blocks.Block{{CID: cid, Data: record}})

	finder := blocks.NewFinder()
	here, missing := finder.Want(cid), finder.Want(other)
	if _, err := finder.Find(car); err != nil {
		log.Fatal(err)
	}
	data, state := finder.Block(here)
	fmt.Println(len(data), state == blocks.Found)
	_, state = finder.Block(missing)
	fmt.Println(state == blocks.Missing)

	finder.Reset() // ready for the next commit
	// Output:
	// 15 true
	// true
}

// Read keeps everything and checks no hash: Intact does.
func ExampleRead() {
	block := []byte("\xa0")
	cid := syntax.SumCID(syntax.CodecDAGCBOR, block)
	archive, err := blocks.Read(blocks.Write(cid, []blocks.Block{{CID: cid, Data: block}}))
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range archive.Blocks {
		fmt.Println(syntax.CIDText(b.CID), b.Intact())
	}
	// Output: bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua <nil>
}
