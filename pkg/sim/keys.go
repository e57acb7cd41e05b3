package sim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"gitlab.com/yawning/secp256k1-voi/secec"
)

// didPrefix and didDigits are the shape of a did:plc: 24 digits of base32.
const (
	didPrefix = "did:plc:"
	didDigits = 24
	didBytes  = 15
)

var didEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// did is the account n of a chapter.
func (s *series) did(chapter int64, n int) string {
	var in [24]byte
	binary.BigEndian.PutUint64(in[0:], s.seed)
	binary.BigEndian.PutUint64(in[8:], uint64(chapter))
	binary.BigEndian.PutUint64(in[16:], uint64(n))
	sum := sha256.Sum256(in[:])
	return didPrefix + didEncoding.EncodeToString(sum[:didBytes])
}

// signer signs as its account does: 64 bytes r and s, low-S, over the SHA-256
// of the message (V7), and the same for the same message.
type signer interface {
	sign(message []byte) ([]byte, error)
	public() (atcrypto.PublicKey, error)
}

// one in so many accounts has the slower kind of key.
const rareKeys = 16

// key is the account's. It depends on seed and DID alone, so that no table of
// accounts is needed.
func (s *series) key(did string) (signer, error) {
	in := binary.BigEndian.AppendUint64([]byte("signing key "), s.seed)
	// A sum above the curve's order is no key; it would be the first in
	// the history of either curve.
	secret := sha256.Sum256(append(in, did...))
	if secret[0]%rareKeys == 0 {
		key, err := secec.NewPrivateKey(secret[:])
		if err != nil {
			return nil, fmt.Errorf("make K-256 key: %w", err)
		}
		return k256{key}, nil
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret[:])
	if err != nil {
		return nil, fmt.Errorf("make P-256 key: %w", err)
	}
	return p256{key}, nil
}

// indigo's own keys sign with fresh randomness; these two must not.
type (
	p256 struct{ key *ecdsa.PrivateKey }
	k256 struct{ key *secec.PrivateKey }
)

const sigHalf = 32

var (
	p256Order = elliptic.P256().Params().N
	p256Half  = new(big.Int).Rsh(p256Order, 1)
)

// sign uses RFC 6979, which crypto/ecdsa does when given no randomness.
func (k p256) sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	der, err := k.key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if pair.S.Cmp(p256Half) > 0 {
		pair.S.Sub(p256Order, pair.S)
	}
	sig := make([]byte, 2*sigHalf)
	pair.R.FillBytes(sig[:sigHalf])
	pair.S.FillBytes(sig[sigHalf:])
	return sig, nil
}

func (k p256) public() (atcrypto.PublicKey, error) {
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("make P-256 key: %w", err)
	}
	return atcrypto.ParsePublicUncompressedBytesP256(point)
}

func (k k256) sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	sig, err := k.key.Sign(secec.RFC6979SHA256(), sum[:], &secec.ECDSAOptions{Hash: crypto.SHA256, Encoding: secec.EncodingCompact})
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}

func (k k256) public() (atcrypto.PublicKey, error) {
	return atcrypto.ParsePublicBytesK256(k.key.PublicKey().CompressedBytes())
}

// SigningKey is the public key of an account as multibase text, the way DID
// documents carry it. False means that no account has such a DID; every
// did:plc DID counts as one, since accounts are not counted.
func (s *Sim) SigningKey(did string) (multibase string, ok bool) {
	digits, plc := strings.CutPrefix(did, didPrefix)
	if raw, err := didEncoding.DecodeString(digits); !plc || len(digits) != didDigits || err != nil || len(raw) != didBytes {
		return "", false
	}
	key, err := s.series.key(did)
	if err != nil {
		return "", false
	}
	public, err := key.public()
	if err != nil {
		return "", false
	}
	return public.Multibase(), true
}

// DIDDocuments is the signing key, as multibase text, of every account of the
// chapters that were read so far.
func (s *Sim) DIDDocuments() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := map[string]string{}
	for chapter := range s.chapters {
		for n := range s.series.accounts {
			did := s.series.did(chapter, n)
			keys[did], _ = s.SigningKey(did)
		}
	}
	return keys
}
