package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/mst"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// account is one of the cast.
type account struct {
	did    string
	handle string
	active bool

	// The rest is nil until the account first appears.
	tree    *mst.Tree
	rev     string
	root    []byte   // CID of the tree; nil when it has to be hashed
	records []record // those that may yet change or go, oldest first
	profile bool
	signer  signer
	done    *deeds
}

// deeds is what an account did to posts and people, so that it does so once.
type deeds struct {
	likes, reposts [recent]uint32 // which post of each place in chapter.liked
	people         map[deed]bool
}

// deed is a record about somebody.
type deed struct {
	collection string
	whom       int // by the cast's number
}

// deeds are made when they are first needed: most accounts do little.
func (a *account) deeds() *deeds {
	if a.done == nil {
		a.done = &deeds{people: map[deed]bool{}}
	}
	return a.done
}

// record is what an account remembers of one it wrote.
type record struct {
	collection, path string
}

// maxRecords is how many records an account remembers; at that size it begins
// to delete.
const maxRecords = 300

func (s *series) newAccount(chapter int64, n int) account {
	did := s.did(chapter, n)
	random := mix(s.seed ^ uint64(n)<<20 ^ uint64(chapter))
	word := handleWords[random%uint64(len(handleWords))]
	ending := []string{"example", "test"}[random>>32%2]
	return account{did: did, active: true, handle: fmt.Sprintf("%s%d.%s", word, random>>40%100_000, ending)}
}

// enter gives the account its repository: a copy of history, or none.
func (a *account) enter(history *mst.Tree, rev string) {
	a.tree, a.rev = mst.New(), rev
	if history != nil {
		a.tree = history.Copy()
	}
}

// data is the CID of the tree as it is.
func (a *account) data() ([]byte, error) {
	if a.root == nil {
		root, err := a.tree.Root()
		if err != nil {
			return nil, fmt.Errorf("hash repository of %s: %w", a.did, err)
		}
		a.root = root
	}
	return a.root, nil
}

// commitBlock is the signed commit of the account's rev and tree, with its CID
// (V1). It is the same each time it is asked for.
func (a *account) commitBlock(s *series) (cid, block []byte, err error) {
	data, err := a.data()
	if err != nil {
		return nil, nil, err
	}
	if a.signer == nil {
		if a.signer, err = s.key(a.did); err != nil {
			return nil, nil, err
		}
	}
	sig, err := a.signer.sign(appendCommit(nil, a.did, a.rev, data, nil))
	if err != nil {
		return nil, nil, err
	}
	block = appendCommit(nil, a.did, a.rev, data, sig)
	return syntax.SumCID(syntax.CodecDAGCBOR, block), block, nil
}

// appendCommit appends a commit block, unsigned when sig is nil.
func appendCommit(dst []byte, did, rev string, data, sig []byte) []byte {
	const version, fields = 3, 5
	pairs := uint64(fields)
	if sig != nil {
		pairs++
	}
	dst = dagcbor.AppendHead(dst, dagcbor.MajorMap, pairs)
	dst = dagcbor.AppendText(dagcbor.AppendText(dst, "did"), did)
	dst = dagcbor.AppendText(dagcbor.AppendText(dst, "rev"), rev)
	if sig != nil {
		dst = dagcbor.AppendHead(dagcbor.AppendText(dst, "sig"), dagcbor.MajorBytes, uint64(len(sig)))
		dst = append(dst, sig...)
	}
	dst = dagcbor.AppendLink(dagcbor.AppendText(dst, "data"), data)
	dst = append(dagcbor.AppendText(dst, "prev"), dagcbor.Null)
	return dagcbor.AppendHead(dagcbor.AppendText(dst, "version"), dagcbor.MajorUint, version)
}

// forget drops the record at i.
func (a *account) forget(i int) { a.records = slices.Delete(a.records, i, i+1) }

// before is a rev from before the chapter, different per account.
func (s *series) before(chapter int64, n int) string {
	return tid(s.time(chapter*s.length).Add(-time.Hour-time.Duration(n)*time.Second), n)
}
