package dagcbor_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atdata"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

// plain parses JSON with exact numbers.
func plain(t *testing.T, data []byte) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// sameAsIndigo compares our JSON of a record with what indigo makes of it.
func sameAsIndigo(t *testing.T, block []byte) {
	t.Helper()
	var tr dagcbor.Transcoder
	ours, _, err := tr.AppendJSON(nil, block)
	if err != nil {
		t.Fatalf("AppendJSON: %v", err)
	}
	v, err := atdata.UnmarshalCBOR(block)
	if err != nil {
		t.Fatalf("indigo: %v", err)
	}
	theirs, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("indigo: %v", err)
	}
	if !reflect.DeepEqual(plain(t, ours), plain(t, theirs)) {
		t.Error("the record differs from indigo's")
	}
}

func TestJ1RecordsEqualIndigo(t *testing.T) {
	dir := thirdparty.Path(t, "records")
	names, _ := filepath.Glob(filepath.Join(dir, "*.cbor"))
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			block, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(name, "record") {
				sameAsIndigo(t, block)
			}
			if err := dagcbor.Check(block); err != nil {
				t.Error(err)
			}
			reencode(t, block)
		})
	}
}

func TestInteropDataModel(t *testing.T) {
	type fixture struct {
		JSON json.RawMessage `json:"json"`
		CBOR string          `json:"cbor_base64"`
		CID  string          `json:"cid"`
	}
	for _, f := range thirdparty.JSON[[]fixture](t, "interop", "data-model", "data-model-fixtures.json") {
		block := unbase64(t, f.CBOR)
		var tr dagcbor.Transcoder
		out, info, err := tr.AppendJSON(nil, block)
		if err != nil || info.NonCanonical {
			t.Fatalf("%s: %v %v", f.CID, info, err)
		}
		if !reflect.DeepEqual(plain(t, out), plain(t, f.JSON)) {
			t.Errorf("%s: other JSON", f.CID)
		}
		if got := syntax.CIDText(syntax.SumCID(syntax.CodecDAGCBOR, block)); got != f.CID {
			t.Errorf("CID %s, want %s", got, f.CID)
		}
		reencode(t, block)
	}
}

func TestD1DASLVectors(t *testing.T) {
	type vector struct {
		Type, Data, Name string
		Tags             []string
	}
	// Atproto is stricter (D3) or more patient (D5) than these.
	patient := map[string]bool{
		"disallowed hash type (SHA-1)": true, // D5: an unusual hash must not lose the record
		"largest CBOR integer, 2^64-1": false,
	}
	names, _ := filepath.Glob(filepath.Join(thirdparty.Path(t, "dasl-cbor"), "*.json"))
	for _, name := range names {
		for _, v := range thirdparty.JSON[[]vector](t, "dasl-cbor", filepath.Base(name)) {
			if !slices.ContainsFunc(v.Tags, func(tag string) bool { return tag == "basic" || tag == "dag-cbor" || tag == "dasl-cid" }) {
				continue
			}
			t.Run(filepath.Base(name)+"/"+v.Name, func(t *testing.T) {
				want, known := patient[v.Name]
				if !known {
					want = v.Type == "roundtrip"
				}
				block := unhex(t, v.Data)
				err := dagcbor.Check(block)
				if (err == nil) != want {
					t.Errorf("Check(%s): %v, want accepted %v", v.Data, err, want)
				}
				if err == nil {
					reencode(t, block)
				}
			})
		}
	}
}

func TestD1RFC8949Vectors(t *testing.T) {
	type vector struct {
		Hex        string   `json:"hex"`
		Flags      []string `json:"flags"`
		Diagnostic string   `json:"diagnostic"`
	}
	for _, v := range thirdparty.JSON[[]vector](t, "rfc8949", "vectors.json") {
		block := unhex(t, v.Hex)
		err := dagcbor.Check(block)
		if !slices.Contains(v.Flags, "valid") && err == nil {
			t.Errorf("%s (%s): accepted", v.Hex, v.Diagnostic)
		}
		if err == nil {
			reencode(t, block)
		}
		if end, _, wrong := dagcbor.Skip(block, 0); err == nil && (wrong != nil || end != len(block)) {
			t.Errorf("%s: Skip disagrees: %v", v.Hex, wrong)
		}
	}
}

func TestD1CodecFixtures(t *testing.T) {
	dir := thirdparty.Path(t, "codec-fixtures")
	names, _ := filepath.Glob(filepath.Join(dir, "*", "*.dag-cbor"))
	if len(names) == 0 {
		t.Fatal("no fixtures")
	}
	for _, name := range names {
		block, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := syntax.CIDText(syntax.SumCID(syntax.CodecDAGCBOR, block)); got+".dag-cbor" != filepath.Base(name) {
			t.Errorf("%s: CID %s", name, got)
		}
		err = dagcbor.Check(block)
		fixture := filepath.Base(filepath.Dir(name))
		refused := strings.HasPrefix(fixture, "float-") || fixture == "int-18446744073709551615"
		if (err != nil) != refused && !strings.HasPrefix(fixture, "garbage-") {
			t.Errorf("%s: %v", fixture, err)
		}
		if err == nil {
			reencode(t, block)
		} else if r := reasonOf(t, err); r != event.ReasonRecordNumber {
			t.Errorf("%s: %v", fixture, err)
		}
	}
}

func TestD4Torture(t *testing.T) {
	block := thirdparty.Read(t, "cbor-depth", "semi_torture_nested_lists.dagcbor")
	var tr dagcbor.Transcoder
	if _, _, err := tr.AppendJSON(nil, block); reasonOf(t, err) != event.ReasonRecordLimit {
		t.Errorf("AppendJSON: %v", err)
	}
	if err := dagcbor.Check(block); reasonOf(t, err) != event.ReasonRecordLimit {
		t.Errorf("Check: %v", err)
	}
}

// seedShared adds third-party vectors where they exist, and nothing elsewhere.
func seedShared(f *testing.F) {
	root, _ := thirdparty.Find()
	for _, pattern := range []string{"records/*.cbor", "codec-fixtures/*/*.dag-cbor"} {
		names, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, name := range names {
			if data, err := os.ReadFile(name); err == nil && len(data) < 4096 {
				f.Add(data)
			}
		}
	}
	var vectors []struct{ Hex string }
	if data, err := os.ReadFile(filepath.Join(root, "rfc8949", "vectors.json")); err == nil {
		_ = json.Unmarshal(data, &vectors)
	}
	for _, v := range vectors {
		if data, err := hex.DecodeString(v.Hex); err == nil {
			f.Add(data)
		}
	}
}
