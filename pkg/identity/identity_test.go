package identity_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atcrypto"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/identity"
)

const did = "did:plc:aaaabbbbccccddddeeeeffff"

func document(key string) map[string]any {
	return map[string]any{"id": did, "verificationMethod": []any{map[string]any{
		"id": did + "#atproto", "type": "Multikey", "controller": did, "publicKeyMultibase": key,
	}}}
}

func read(t *testing.T, v any) (*identity.Keys, error) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return identity.Read(strings.NewReader(string(data)))
}

func TestV7SignaturesOfBothCurves(t *testing.T) {
	p256, err1 := atcrypto.GeneratePrivateKeyP256()
	k256, err2 := atcrypto.GeneratePrivateKeyK256()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for name, key := range map[string]atcrypto.PrivateKey{"P-256": p256, "K-256": k256} {
		t.Run(name, func(t *testing.T) {
			public, err := key.PublicKey()
			if err != nil {
				t.Fatal(err)
			}
			sig, err := key.HashAndSign([]byte("message"))
			if err != nil {
				t.Fatal(err)
			}
			for _, value := range []any{document(public.Multibase()), public.Multibase()} {
				keys, err := read(t, map[string]any{did: value})
				if err != nil || keys.Len() != 1 {
					t.Fatal(err)
				}
				if known, err := keys.Verify(did, []byte("message"), sig); !known || err != nil {
					t.Errorf("sound: %v, %v", known, err)
				}
				if known, err := keys.Verify(did, []byte("other"), sig); !known || err == nil {
					t.Errorf("forged: %v, %v", known, err)
				}
				if known, err := keys.Verify("did:plc:other", []byte("message"), sig); known || err != nil {
					t.Errorf("unknown: %v, %v", known, err)
				}
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	other := document("zDnae")
	other["id"] = "did:plc:other"
	for name, text := range map[string]any{
		"no object": []any{}, "no key": map[string]any{did: map[string]any{"id": did}},
		"bad key": map[string]any{did: document("zzz")}, "other DID": map[string]any{did: other}, "number": map[string]any{did: 1},
	} {
		if _, err := read(t, text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := identity.Read(strings.NewReader(`{"did:plc:a": `)); err == nil {
		t.Error("a truncated file is accepted")
	}
	if _, err := identity.Open("/nonexistent"); fault.ClassOf(err) != fault.Usage {
		t.Errorf("missing file: %v", err)
	}
}
