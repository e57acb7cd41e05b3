package tail

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/output"
)

// tailMatch chooses what tail shows. It differs from ingest's filter, which must
// not keep identities and accounts from consumers: here a collection means its
// ops and nothing else.
type tailMatch struct {
	kinds []string
	keep  *filter.Filter    // accounts, and ops
	grep  func(string) bool // nil passes everything
	// byOp is set when ops are chosen one by one.
	byOp bool
	// any is set when there is nothing to choose.
	any bool
}

// newTailMatch checks the words of the filters.
func newTailMatch(o *tailOptions) (m *tailMatch, err error) {
	m = &tailMatch{}
	for _, word := range o.kinds {
		word = strings.TrimPrefix(word, "#")
		if _, ok := event.ParseKind(word); !ok {
			return nil, shell.UsageError(fmt.Errorf("flag --kind: %q is not a kind of event", word), "write commit, identity, account, sync, info, error or unknown")
		}
		m.kinds = append(m.kinds, word)
	}
	if err := shell.CheckActions(o.actions); err != nil {
		return nil, err
	}
	if err := checkWords("did", filter.Config{DIDs: o.dids}); err != nil {
		return nil, err
	}
	if err := checkWords("collection", filter.Config{Collections: o.collections}); err != nil {
		return nil, err
	}
	if m.keep, err = filter.New(filter.Config{DIDs: o.dids, Collections: o.collections, Actions: o.actions}); err != nil {
		return nil, err
	}
	m.byOp = o.ops || m.keep.ByOp()
	if m.byOp && len(m.kinds) > 0 && !slices.Contains(m.kinds, "commit") {
		return nil, shell.UsageError(fmt.Errorf("--kind %s has no ops, which --ops, --collection and --action want", strings.Join(m.kinds, ",")), "add --kind commit, or leave one out")
	}
	err = m.setGrep(o.grep)
	m.any = !m.byOp && m.grep == nil && m.keep == nil && len(m.kinds) == 0
	return m, err
}

// checkWords asks the filter of ingest, so that both take the same words.
func checkWords(flag string, cfg filter.Config) error {
	_, err := filter.New(cfg)
	if err == nil {
		return nil
	}
	return shell.UsageError(fmt.Errorf("flag --%s: %w", flag, err), fault.HintOf(err))
}

// setGrep takes an expression; one without operators is looked for as it is,
// which is faster.
func (m *tailMatch) setGrep(pattern string) error {
	if pattern == "" {
		return nil
	}
	expr, err := regexp.Compile(pattern)
	if err != nil {
		return shell.UsageError(fmt.Errorf("flag --grep: %q is not a pattern: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: ")), `put a backslash before a character that is meant as it is, or write \Q…\E around the text`)
	}
	m.grep = expr.MatchString
	if literal, whole := expr.LiteralPrefix(); whole {
		m.grep = func(text string) bool { return strings.Contains(text, literal) }
	}
	return nil
}

// event judges what concerns the whole event; ops are judged one by one.
func (m *tailMatch) event(e *output.Event) bool {
	switch {
	case m.any:
		return true
	case len(m.kinds) > 0 && !slices.Contains(m.kinds, kindName(e.Kind)),
		!m.keep.Account([]byte(e.Outline.DID)):
		return false
	case m.grep == nil || m.byOp:
		return true
	case e.Fault != "":
		return slices.ContainsFunc(e.Fields, m.grep)
	}
	return m.grep(e.Data)
}

// kindName is the word for a kind that --kind takes.
func kindName(kind string) string {
	if _, known := event.ParseKind(kind); known {
		return kind
	}
	return event.KindUnknown.String()
}

// op judges the i-th op of e. When ops are not chosen, the first one stands for
// all.
func (m *tailMatch) op(e *output.Event, i int) bool {
	if !m.byOp {
		return true
	}
	op := &e.Outline.Ops[i]
	action, _ := event.ParseAction(op.Action)
	return m.keep.Wants(action, []byte(op.Collection())) && (m.grep == nil || m.grep(op.JSON))
}
