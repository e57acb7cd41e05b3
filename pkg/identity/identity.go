package identity

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	indigo "github.com/bluesky-social/indigo/atproto/identity"

	"github.com/klauspost/compress/zstd"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/files"
)

// Keys are the signing keys of some accounts. Verify may be called
// concurrently.
type Keys struct{ byDID map[string]atcrypto.PublicKey }

const (
	// maxFile bounds what Read takes, in bytes: a million documents.
	maxFile = 1 << 30
	// maxWindow bounds the decompressor's memory, in bytes.
	maxWindow = 8 << 20
)

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// Open reads the file at path as Read does. Errors are fault.Usage.
func Open(path string) (*Keys, error) {
	file, err := files.Open(path)
	if err != nil {
		return nil, usage(err)
	}
	defer file.Close()
	keys, err := Read(file)
	if err != nil {
		return nil, usage(err)
	}
	return keys, nil
}

func usage(err error) error {
	return fault.New(fault.Usage, fmt.Errorf("read DID documents: %w", err),
		`the file must be one JSON object from DID to DID document: {"did:plc:…": {"id": …, "verificationMethod": […]}}`)
}

// Read reads one JSON object whose keys are DIDs and whose values are DID
// documents; a value may also be the signing key alone, as multibase text. It
// may be compressed with zstd. A
// document that names no usable #atproto key, or is another account's, is an
// error that names the DID. Memory is that of the keys: documents are read one
// after the other.
func Read(in io.Reader) (*Keys, error) {
	peek := bufio.NewReader(in)
	in = peek
	if start, _ := peek.Peek(len(zstdMagic)); bytes.Equal(start, zstdMagic) {
		z, err := zstd.NewReader(peek, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		in = z
	}
	return read(json.NewDecoder(io.LimitReader(in, maxFile)))
}

func read(d *json.Decoder) (*Keys, error) {
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("it is not a JSON object") // nothing of what it is instead
	}
	keys := &Keys{byDID: map[string]atcrypto.PublicKey{}}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		did, _ := name.(string) // keys of an object are text
		if keys.byDID[did], err = parse(did, value); err != nil {
			return nil, fmt.Errorf("%.100q: %w", did, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	return keys, nil
}

func parse(did string, value []byte) (atcrypto.PublicKey, error) {
	var bare string
	if json.Unmarshal(value, &bare) == nil {
		return atcrypto.ParsePublicMultibase(bare)
	}
	var doc indigo.DIDDocument
	if err := json.Unmarshal(value, &doc); err != nil {
		return nil, err
	}
	if doc.DID.String() != did {
		return nil, errors.New("the document is another DID's")
	}
	parsed := indigo.ParseIdentity(&doc)
	return parsed.PublicKey()
}

// Len is how many accounts have a key.
func (k *Keys) Len() int { return len(k.byDID) }

// Verify checks a signature over the SHA-256 of message: 64 bytes r and s with
// low S, P-256 or K-256 (V7). known is false, and err nil, when there is no key
// for the DID.
func (k *Keys) Verify(did string, message, sig []byte) (known bool, err error) {
	key, known := k.byDID[did]
	if !known {
		return false, nil
	}
	return true, key.HashAndVerify(message, sig)
}
