package blocks

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
)

// Block is one section of a CAR.
type Block struct {
	CID  []byte // binary
	Data []byte
}

// Intact reports whether the data hashes to the CID; hash functions that go-cid
// does not know are an error.
func (b Block) Intact() error {
	c, err := cid.Cast(b.CID)
	if err != nil {
		return fmt.Errorf("read block CID: %w", err)
	}
	sum, err := c.Prefix().Sum(b.Data)
	if err != nil {
		return fmt.Errorf("hash block %s: %w", c, err)
	}
	if !sum.Equals(c) {
		return fmt.Errorf("block %s holds other bytes", c)
	}
	return nil
}

// Archive is a whole CAR in memory of its own.
type Archive struct {
	Roots  [][]byte // binary CIDs, at least one
	Blocks []Block  // in file order, duplicates kept
}

// Get is the first intact block with that CID, nil when there is none (B3).
func (a *Archive) Get(cid []byte) []byte {
	for _, b := range a.Blocks {
		if bytes.Equal(b.CID, cid) && b.Intact() == nil {
			return b.Data
		}
	}
	return nil
}

// Read reads a whole CARv1 with go-car. Hashes are not checked; see
// Block.Intact. Errors are under ErrCAR.
func Read(data []byte) (*Archive, error) {
	size := uint64(len(data))
	src := bytes.NewReader(data)
	r, err := car.NewBlockReader(src, car.WithTrustedCAR(true),
		car.MaxAllowedHeaderSize(size), car.MaxAllowedSectionSize(size))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCAR, err)
	}
	if r.Version != 1 {
		return nil, errVersion
	}
	if len(r.Roots) == 0 {
		return nil, errRoots
	}
	a := &Archive{}
	for _, root := range r.Roots {
		a.Roots = append(a.Roots, root.Bytes())
	}
	for {
		left := src.Len()
		b, err := r.Next()
		if errors.Is(err, io.EOF) && left == 0 {
			return a, nil // with bytes left, go-car's EOF is a truncation
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCAR, err)
		}
		a.Blocks = append(a.Blocks, Block{CID: b.Cid().Bytes(), Data: b.RawData()})
	}
}

// Write is a CARv1 with one root and the blocks in the given order.
func Write(root []byte, blocks []Block) []byte {
	head := make([]byte, 0, 64)
	head = append(dagcbor.AppendHead(head, dagcbor.MajorMap, 2), "\x65roots\x81"...)
	head = dagcbor.AppendLink(head, root)
	head = append(head, headerEnd...)
	size := binary.MaxVarintLen64 + len(head)
	for _, b := range blocks {
		size += binary.MaxVarintLen64 + len(b.CID) + len(b.Data)
	}
	out := append(binary.AppendUvarint(make([]byte, 0, size), uint64(len(head))), head...)
	for _, b := range blocks {
		out = binary.AppendUvarint(out, uint64(len(b.CID)+len(b.Data)))
		out = append(append(out, b.CID...), b.Data...)
	}
	return out
}
