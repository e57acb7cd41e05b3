package sim

import (
	"math"
	"strconv"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// The shapes of records, as their lexicons have them.
type (
	ref struct {
		CID string `cbor:"cid"`
		URI string `cbor:"uri"`
	}
	subject struct {
		Type      string `cbor:"$type"`
		Subject   ref    `cbor:"subject"`
		CreatedAt string `cbor:"createdAt"`
	}
	relation struct {
		Type      string `cbor:"$type"`
		Subject   string `cbor:"subject"`
		CreatedAt string `cbor:"createdAt"`
	}
	listItem struct {
		Type      string `cbor:"$type"`
		List      string `cbor:"list"`
		Subject   string `cbor:"subject"`
		CreatedAt string `cbor:"createdAt"`
	}
	list struct {
		Type        string `cbor:"$type"`
		Name        string `cbor:"name"`
		Purpose     string `cbor:"purpose"`
		Description string `cbor:"description,omitempty"`
		CreatedAt   string `cbor:"createdAt"`
	}
	blob struct {
		Type     string       `cbor:"$type"`
		Ref      dagcbor.Link `cbor:"ref"`
		Size     int64        `cbor:"size"`
		MimeType string       `cbor:"mimeType"`
	}
	profile struct {
		Type        string `cbor:"$type"`
		Avatar      *blob  `cbor:"avatar,omitempty"`
		Description string `cbor:"description,omitempty"`
		DisplayName string `cbor:"displayName"`
		CreatedAt   string `cbor:"createdAt"`
	}
	post struct {
		Type      string   `cbor:"$type"`
		Text      string   `cbor:"text"`
		Langs     []string `cbor:"langs,omitempty"`
		Tags      []string `cbor:"tags,omitempty"`
		Facets    []facet  `cbor:"facets,omitempty"`
		Reply     *reply   `cbor:"reply,omitempty"`
		Embed     any      `cbor:"embed,omitempty"`
		CreatedAt string   `cbor:"createdAt"`
	}
	reply struct {
		Root   ref `cbor:"root"`
		Parent ref `cbor:"parent"`
	}
	facet struct {
		Index    span             `cbor:"index"`
		Features []map[string]any `cbor:"features"`
	}
	span struct {
		Start int64 `cbor:"byteStart"`
		End   int64 `cbor:"byteEnd"`
	}
)

func (c *chapter) newProfile(w *commit) profile {
	p := profile{
		Type: profiles, DisplayName: c.words(1+c.random.IntN(2), 0), Description: c.words(4+c.random.IntN(12), 0),
		CreatedAt: c.recently(w),
	}
	if c.random.IntN(4) > 0 {
		p.Avatar = c.blob("image/jpeg")
	}
	return p
}

func (c *chapter) newList(w *commit) list {
	purpose := []string{"app.bsky.graph.defs#curatelist", "app.bsky.graph.defs#modlist"}[c.random.IntN(2)]
	return list{Type: lists, Name: c.words(2, 0), Purpose: purpose, Description: c.words(c.random.IntN(8), 0), CreatedAt: c.recently(w)}
}

// gate closes a thread to answers; it has the key of its post.
func (c *chapter) gate(w *commit, uri string) {
	const keyLen = 13
	if len(uri) < keyLen {
		return
	}
	w.put(gates, uri[len(uri)-keyLen:], map[string]any{
		"$type": gates, "post": uri, "allow": []any{map[string]any{"$type": gates + "#mentionRule"}}, "createdAt": c.recently(w),
	})
}

// blob stands for a file that does not exist: its CID is that of a name (J3).
func (c *chapter) blob(mime string) *blob {
	name := strconv.FormatUint(c.random.Uint64(), 36)
	return &blob{Type: "blob", Ref: syntax.SumCID(syntax.CodecRaw, []byte(name)), Size: 2000 + c.random.Int64N(900_000), MimeType: mime}
}

// newNote is whatever the data model can hold, in one record (J1, J2, J4, D3).
func (c *chapter) newNote(w *commit) map[string]any {
	raw := make([]byte, 1+c.random.IntN(40))
	for i := range raw {
		raw[i] = byte(c.random.Uint32())
	}
	return map[string]any{
		"$type":     notes,
		"createdAt": c.recently(w),
		"title":     c.words(3, 0),
		"text":      "line one\nline two\ttab \"quoted\" back\\slash <b>&amp;</b> \u2028 \u0001 " + c.words(6, 1),
		"bytes":     raw,
		"noBytes":   []byte{},
		"link":      dagcbor.Link(syntax.SumCID(syntax.CodecDAGCBOR, raw)),
		"numbers":   []any{0, -1, 23, 24, -257, 1<<53 - 1, -(1<<53 - 1), int64(math.MaxInt64), int64(math.MinInt64)},
		"nested":    []any{[]any{[]any{"deep", nil}, []any{}}, map[string]any{"": true, "no": false, "links": []any{dagcbor.Link(syntax.SumCID(syntax.CodecRaw, raw))}}},
		"nothing":   nil,
		"empty":     map[string]any{},
		"tête-à-tête": map[string]any{
			"$type": notes + "#part", "emoji": "👩‍👩‍👧‍👦", "rtl": "שלום", "combining": "e\u0301",
		},
		"seq": c.random.Int64N(1000), // a name consumers use for themselves
	}
}
