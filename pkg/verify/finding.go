package verify

import (
	"cmp"
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/text"
	"github.com/fhctl/fhctl/pkg/verify/block"
)

// Finding is one thing that is wrong.
type Finding struct {
	Rule     Rule
	Severity Severity
	Seq      event.Seq // 0 when unknown
	ID       string    // of the entry, or "frame 12"; empty for the cursor
	Where    string    // within the entry: "ops[0].record.embed"; may be empty
	Detail   string    // for people; holds names of keys, never values of records
	Fix      string    // what to do about it, in remedies of package fault
}

// Mark is one seq and where it stands.
type Mark struct {
	Seq event.Seq
	ID  string
}

// Config says how to judge. The zero Config is usable: nothing is reported but
// the Summary.
type Config struct {
	// Strict makes warnings errors, and each gap a finding of its own.
	Strict bool
	// Report is called for each finding that is listed, in the order of
	// discovery.
	Report func(Finding)
	// MaxFindings is how many errors, and how many warnings, Report is called
	// for; the rest is counted. 0 lists all.
	MaxFindings int
	// Sample checks the contents of one entry or frame in so many; 0 and 1
	// check all. Sequence, duplicates and gaps are checked on all.
	Sample int
	// Seed chooses the sample at random, from this seed; 0 takes every
	// Sample-th.
	Seed uint64
	// Partitions is how many streams the entries come from, merged by seq; 0
	// and 1 are one. Then each must be in the partition of its account, and
	// gaps count from GapsFrom, from where on no partition was trimmed, to
	// GapsTo, which every partition has reached; 0 sets no bound.
	Partitions       int
	GapsFrom, GapsTo event.Seq
	// Reread gives the seqs from one id to another again, both included, to
	// tell far duplicates from late entries. Without it, what lies further
	// back than the last 65,536 counts as out of order.
	Reread func(ctx context.Context, from, to string) iter.Seq2[Mark, error]
	// MaxRereads bounds how often that is done; 0 means 1,000.
	MaxRereads int
	// Uncovered is asked at the end what of the range the source does not hold,
	// in sentences; each is a finding. Nil means that all was there.
	Uncovered func() []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Signature checks a commit's signature with the account's key (V7).
	// known is false when the key is not known. Nil checks none.
	Signature func(did string, message, sig []byte) (known bool, err error)
}

// Summary is what was covered and what was found.
type Summary struct {
	Items       int64 // entries or frames
	Checked     int64 // of these, with their contents
	First, Last Mark  // of the items; Seq is 0 where the first or last had none
	Kinds       [event.Kinds]int64
	Ops         int64
	Others      int64 // of Compare: entries of the other stream
	Records     int64 // records whose hash was compared with their cid
	Errors      int64 // findings that fail the check
	Warnings    int64
	Rules       []RuleCount // those that were found, most serious first
	Gaps        Gaps
	// Frames only.
	Trees      int64 // commits whose ops were undone down to prevData (V5)
	Legacy     int64 // commits that lack what that needs
	Signatures int64 // that verified (V7)
	Unkeyed    int64 // commits and syncs of accounts whose key is not known
}

// RuleCount is how often a rule was found.
type RuleCount struct {
	Rule     Rule
	Severity Severity
	Count    int64
	Fix      string // what to do about the last of them
}

// Gaps is what is missing between seqs.
type Gaps struct {
	Count   int64 // places
	Missing int64 // numbers in all of them
	Largest []Gap // the five largest, largest first
}

// Gap is one place where numbers are missing: between After and Before.
type Gap struct {
	After, Before Mark
	Missing       int64 // numbers between them that did not come late either
}

// Clean reports whether the check passed.
func (s *Summary) Clean() bool { return s.Errors == 0 }

// ledger counts findings and passes on those that are listed.
type ledger struct {
	cfg    Config
	counts map[Rule]int64
	fixes  map[Rule]string
	listed map[Severity]int
	sum    Summary
	random *rand.Rand
}

func newLedger(cfg Config) *ledger {
	l := &ledger{cfg: cfg, counts: map[Rule]int64{}, fixes: map[Rule]string{}, listed: map[Severity]int{}}
	if cfg.Seed != 0 {
		l.random = rand.New(rand.NewPCG(cfg.Seed, 0))
	}
	if l.cfg.Now == nil {
		l.cfg.Now = time.Now
	}
	return l
}

func (l *ledger) severity(rule Rule) Severity {
	if l.cfg.Strict {
		return Error
	}
	return infos[rule].Severity
}

// found counts f, whose Severity comes from the table, as does its Fix if it
// brings none.
func (l *ledger) found(f Finding) { l.foundMany(f, 1) }

// foundMany counts f as n findings and lists it once.
func (l *ledger) foundMany(f Finding, n int64) {
	f.Severity = l.severity(f.Rule)
	if f.Fix == "" {
		f.Fix = infos[f.Rule].Fix
	}
	l.counts[f.Rule] += n
	l.fixes[f.Rule] = f.Fix
	if f.Severity == Error {
		l.sum.Errors += n
	} else {
		l.sum.Warnings += n
	}
	if l.cfg.Report == nil || l.cfg.MaxFindings > 0 && l.listed[f.Severity] >= l.cfg.MaxFindings {
		return
	}
	l.listed[f.Severity]++
	l.cfg.Report(f)
}

// cover counts one item and says whether its contents are to be checked.
func (l *ledger) cover() bool {
	l.sum.Items++
	chosen := true
	switch {
	case l.cfg.Sample <= 1:
	case l.random != nil:
		chosen = l.random.IntN(l.cfg.Sample) == 0
	default:
		chosen = (l.sum.Items-1)%int64(l.cfg.Sample) == 0
	}
	if chosen {
		l.sum.Checked++
	}
	return chosen
}

// place notes where the item stands.
func (l *ledger) place(seq event.Seq, id string) {
	if l.sum.Items == 1 {
		l.sum.First = Mark{seq, id}
	}
	l.sum.Last = Mark{seq, id}
}

// summary closes the books.
func (l *ledger) summary() Summary {
	if l.cfg.Uncovered != nil {
		for _, detail := range l.cfg.Uncovered() {
			l.found(Finding{Rule: RangeTrimmed, Where: "range", Detail: detail})
		}
	}
	for rule, n := range l.counts {
		l.sum.Rules = append(l.sum.Rules, RuleCount{rule, l.severity(rule), n, l.fixes[rule]})
	}
	slices.SortFunc(l.sum.Rules, func(a, b RuleCount) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Rule, b.Rule))
	})
	return l.sum
}

// clip bounds what a foreign name may take of a report.
func clip(name string) string { return text.Shorten(name, block.MostName) }
