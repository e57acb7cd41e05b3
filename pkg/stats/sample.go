package stats

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// tally is what a sample of entries adds up to.
type tally struct {
	entries, bytes, ops, opBytes, unreadable int64
	newest, oldest                           reader.ID
	kinds, collections                       map[string]*Share
}

// shareNames bounds how many names a tally keeps: whoever writes records
// chooses the names of collections. Later ones are counted together.
const (
	shareNames = 500
	shareOther = "(other)"
)

func countUnder(shares *map[string]*Share, name string, bytes int) {
	if *shares == nil {
		*shares = map[string]*Share{}
	}
	s := (*shares)[name]
	if s == nil && len(*shares) >= shareNames {
		name = shareOther
		s = (*shares)[name]
	}
	if s == nil {
		s = &Share{Name: strings.Clone(name)} // a view would keep its entry
		(*shares)[name] = s
	}
	s.Count++
	s.Bytes += int64(bytes)
}

// add counts an entry; entries come newest first.
func (t *tally) add(s reader.Stored, look *entry.Outline) {
	if t.entries == 0 {
		t.newest = s.ID
	}
	t.oldest = reader.ID(strings.Clone(string(s.ID)))
	t.entries++
	size := 0
	for _, text := range s.Fields {
		size += len(text)
	}
	t.bytes += int64(size)
	f := entry.FieldsOf(s.Fields)
	countUnder(&t.kinds, f.Type, size)
	if look.Read(f.Data) != nil {
		t.unreadable++
		return
	}
	for i := range look.Ops {
		op := &look.Ops[i]
		t.ops++
		t.opBytes += int64(len(op.JSON))
		countUnder(&t.collections, op.Collection(), len(op.JSON))
	}
}

func (t *tally) report() Sample {
	r := Sample{
		Entries: t.entries, Bytes: t.bytes, Ops: t.ops, OpBytes: t.opBytes, Unreadable: t.unreadable,
		Kinds: shares(t.kinds, t.entries, t.bytes), Collections: shares(t.collections, t.ops, t.opBytes),
	}
	if t.entries > 0 {
		r.SpanSeconds = t.newest.Time().Sub(t.oldest.Time()).Seconds()
	}
	return r
}

// shares are ordered by bytes, then by name.
func shares(by map[string]*Share, counts, bytes int64) []Share {
	list := []Share{}
	for _, s := range by {
		s.CountShare = float64(s.Count) / float64(max(counts, 1))
		s.BytesShare = float64(s.Bytes) / float64(max(bytes, 1))
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Share) int {
		if a.Bytes != b.Bytes {
			return cmp.Compare(b.Bytes, a.Bytes)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}
