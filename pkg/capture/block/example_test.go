package block_test

import (
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/capture/block"
)

// Pack frames into a block and take it apart again, as a writer and a reader of files do.
func Example() {
	packer := block.NewPacker(0)
	for _, frame := range []string{"first frame", "second frame"} {
		if err := packer.Add([]byte(frame)); err != nil {
			log.Fatal(err)
		}
	}
	descriptor, packed, _ := packer.Pack()
	file := append(append([]byte{}, descriptor...), packed...) // written to a file here
	packer.Commit()

	tag, rest, err := block.Head(file[:block.HeadSize])
	if err != nil {
		log.Fatal(err)
	}
	b, err := block.ParseBlock(file[block.HeadSize : block.HeadSize+rest])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tag, b.Number, b.Frames)

	unpacker := block.NewUnpacker()
	defer unpacker.Close()
	raw, err := unpacker.Unpack(&b, file[block.DescriptorSize:])
	if err != nil {
		log.Fatal(err)
	}
	for frame := range block.Frames(raw) {
		fmt.Printf("%s\n", frame)
	}
	// Output:
	// FHZB 0 2
	// first frame
	// second frame
}
