package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/fxamacker/cbor/v2"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
)

var errNotCommit = errors.New("not a commit")

// out is an entry as the peers build it.
type out struct {
	Repo string `json:"repo"`
	Ops  []op   `json:"ops"`
}

type op struct {
	Action string `json:"action"`
	Path   string `json:"path"`
	CID    string `json:"cid,omitempty"`
	Record any    `json:"record,omitempty"`
}

type frameHeader struct {
	Op int64  `cbor:"op"`
	T  string `cbor:"t"`
}

// Indigo decodes a commit with the reference Go library, by the same calls as
// its command line tool: the repository slice is loaded, each record looked up
// by path in its tree, decoded and marshalled.
func Indigo(frame []byte) ([]byte, error) {
	var h frameHeader
	rest, err := cbor.UnmarshalFirst(frame, &h)
	if err != nil || h.T != "#commit" {
		return nil, errNotCommit
	}
	var evt comatproto.SyncSubscribeRepos_Commit
	if err := evt.UnmarshalCBOR(bytes.NewReader(rest)); err != nil {
		return nil, err
	}
	_, r, err := repo.LoadRepoFromCAR(context.Background(), bytes.NewReader(evt.Blocks))
	if err != nil {
		return nil, err
	}
	o := out{Repo: evt.Repo, Ops: []op{}}
	for _, e := range evt.Ops {
		one := op{Action: e.Action, Path: e.Path}
		if e.Cid != nil {
			collection, rkey, err := syntax.ParseRepoPath(e.Path)
			if err != nil {
				return nil, err
			}
			data, c, err := r.GetRecordBytes(context.Background(), collection, rkey)
			if err != nil {
				return nil, err
			}
			if one.Record, err = atdata.UnmarshalCBOR(data); err != nil {
				return nil, err
			}
			one.CID = c.String()
		}
		o.Ops = append(o.Ops, one)
	}
	return json.Marshal(o)
}

type naiveCommit struct {
	Repo   string `cbor:"repo"`
	Blocks []byte `cbor:"blocks"`
	Ops    []struct {
		Action string   `cbor:"action"`
		Path   string   `cbor:"path"`
		CID    cbor.Tag `cbor:"cid"`
	} `cbor:"ops"`
}

// Naive is the chain one writes first: fxamacker/cbor into structs and maps,
// go-car for the blocks, encoding/json for the result. go-car hashes every
// block.
func Naive(frame []byte) ([]byte, error) {
	var h frameHeader
	rest, err := cbor.UnmarshalFirst(frame, &h)
	if err != nil || h.T != "#commit" {
		return nil, errNotCommit
	}
	var evt naiveCommit
	if err := cbor.Unmarshal(rest, &evt); err != nil {
		return nil, err
	}
	blocks, err := naiveBlocks(evt.Blocks)
	if err != nil {
		return nil, err
	}
	o := out{Repo: evt.Repo, Ops: []op{}}
	for _, e := range evt.Ops {
		one := op{Action: e.Action, Path: e.Path}
		if link, ok := e.CID.Content.([]byte); ok {
			c, err := cid.Cast(link[1:])
			if err != nil {
				return nil, err
			}
			var record any
			if err := cbor.Unmarshal(blocks[c], &record); err != nil {
				return nil, fmt.Errorf("record %s: %w", c, err)
			}
			one.CID, one.Record = c.String(), plain(record)
		}
		o.Ops = append(o.Ops, one)
	}
	return json.Marshal(o)
}

func naiveBlocks(data []byte) (map[cid.Cid][]byte, error) {
	reader, err := car.NewBlockReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	blocks := map[cid.Cid][]byte{}
	for {
		b, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return blocks, nil
		}
		if err != nil {
			return nil, err
		}
		blocks[b.Cid()] = b.RawData()
	}
}

// plain turns decoded CBOR into what encoding/json writes as atproto's JSON.
func plain(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[fmt.Sprint(key)] = plain(value)
		}
		return m
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case []byte:
		return map[string]any{"$bytes": base64.RawStdEncoding.EncodeToString(v)}
	case cbor.Tag:
		link, _ := v.Content.([]byte)
		c, _ := cid.Cast(link[1:])
		return map[string]any{"$link": c.String()}
	}
	return v
}
