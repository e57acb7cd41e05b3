package dagcbor

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fxamacker/cbor/v2"
)

// Link is a binary CID. As a value it marshals to tag 42; a nil Link marshals
// to null. It is distinct from []byte, which marshals to a byte string.
type Link []byte

// MarshalCBOR implements cbor.Marshaler.
func (l Link) MarshalCBOR() ([]byte, error) {
	if l == nil {
		return []byte{0xf6}, nil
	}
	if syntax.CIDSize(l) != len(l) {
		return nil, errors.New("link is not a binary CID")
	}
	return AppendLink(nil, l), nil
}

// UnmarshalCBOR implements cbor.Unmarshaler.
func (l *Link) UnmarshalCBOR(data []byte) error {
	if len(data) == 1 && data[0] == 0xf6 {
		*l = nil
		return nil
	}
	var tag cbor.RawTag
	if err := decoding.Unmarshal(data, &tag); err != nil {
		return fmt.Errorf("read link: %w", err)
	}
	var content []byte
	if err := decoding.Unmarshal(tag.Content, &content); err != nil {
		return fmt.Errorf("read link: %w", err)
	}
	link, err := untag(tag.Number, content)
	*l = link
	return err
}

// untag is the CID inside tag 42.
func untag(number uint64, content any) (Link, error) {
	raw, _ := content.([]byte)
	if cid := LinkCID(raw); number == linkTag && cid != nil {
		return Link(cid), nil
	}
	return nil, fmt.Errorf("tag %d is not a link", number)
}

// The two modes are immutable and safe for concurrent use.
var (
	encoding = mustMode(cbor.EncOptions{
		Sort:        cbor.SortLengthFirst,
		IndefLength: cbor.IndefLengthForbidden,
		NaNConvert:  cbor.NaNConvertReject,
		InfConvert:  cbor.InfConvertReject,
		// Time values have no form in atproto; callers format them as text.
		Time: cbor.TimeRFC3339Nano,
	}.EncMode())
	decoding = mustMode(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		IntDec:            cbor.IntDecConvertSignedOrFail,
		DefaultMapType:    reflect.TypeFor[map[string]any](),
		MaxNestedLevels:   2 * MaxDepth,
		MaxArrayElements:  MaxElements,
		MaxMapPairs:       MaxElements,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}.DecMode())
)

// mustMode is for options fixed in this file: an error is a typing mistake
// that the first test run shows.
func mustMode[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// Marshal is the canonical DAG-CBOR of v: map keys sorted by length and then
// bytewise, shortest integers and lengths, definite lengths, Links as tag 42.
// Maps, slices, structs with `cbor:"name"` tags, strings, []byte, Link, bool,
// integers and nil are accepted; floats, non-string keys, text that is not
// UTF-8 and anything else that Check refuses is an error. The result is fresh
// memory.
func Marshal(v any) ([]byte, error) {
	data, err := encoding.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("marshal DAG-CBOR: %w", err)
	}
	if err := Check(data); err != nil {
		return nil, fmt.Errorf("marshal DAG-CBOR: %w", err)
	}
	return data, nil
}

// Unmarshal reads strict DAG-CBOR into v, a pointer to a struct with `cbor`
// tags, a map[string]any, or an any. Inside an any, values are string, []byte,
// Link, int64, bool, nil, []any and map[string]any. What Check refuses is an
// error. Nothing in v points into data.
func Unmarshal(data []byte, v any) error {
	if err := Check(data); err != nil {
		return fmt.Errorf("unmarshal DAG-CBOR: %w", err)
	}
	if err := decoding.Unmarshal(data, v); err != nil {
		return fmt.Errorf("unmarshal DAG-CBOR: %w", err)
	}
	switch v := v.(type) {
	case *any:
		return retag(v)
	case *map[string]any:
		return retagMap(*v)
	}
	return nil
}

// retag turns the generic tags under *v into Links, in place.
func retag(v *any) (err error) {
	switch x := (*v).(type) {
	case cbor.Tag:
		*v, err = untag(x.Number, x.Content)
	case map[string]any:
		return retagMap(x)
	case []any:
		for i := range x {
			if err := retag(&x[i]); err != nil {
				return err
			}
		}
	}
	return err
}

func retagMap(m map[string]any) error {
	for key, value := range m {
		if err := retag(&value); err != nil {
			return err
		}
		m[key] = value
	}
	return nil
}
