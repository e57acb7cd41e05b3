package health_test

import (
	"regexp"
	"strings"
	"testing"
)

// query is what one PromQL expression names.
type query struct {
	metrics  map[string]bool
	labels   map[string]bool // in matchers, by (…), on (…) and the like
	matchers []matcher
}

// matcher is one label matcher of a metric.
type matcher struct{ metric, label, operator, value string }

// promToken is a string, a duration in brackets, a name or a sign. It knows as
// much of PromQL as our own expressions need.
var promToken = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[a-zA-Z_:][a-zA-Z0-9_:]*|\d[\d.]*[smhdwy]?|[=!]~|[=!<>]=|\S`)

// promWords are names that are no metric: operators, and functions, which a
// parenthesis follows.
var promWords = map[string]bool{"and": true, "or": true, "unless": true, "bool": true, "offset": true}

// promLists are followed by labels in parentheses.
var promLists = map[string]bool{"by": true, "without": true, "on": true, "ignoring": true, "group_left": true, "group_right": true}

func parsePromQL(text string) query {
	q := query{metrics: map[string]bool{}, labels: map[string]bool{}}
	tokens := promToken.FindAllString(text, -1)
	metric, list := "", 0 // the metric whose matchers follow; where a label list ends
	for i, token := range tokens {
		next := ""
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		inBraces := strings.Count(strings.Join(tokens[:i], " "), "{") > strings.Count(strings.Join(tokens[:i], " "), "}")
		switch {
		case !isName(token):
		case inBraces:
			q.labels[token] = true
			if i+2 < len(tokens) {
				q.matchers = append(q.matchers, matcher{metric, token, next, strings.Trim(tokens[i+2], `"`)})
			}
		case promLists[token]:
			for list = i + 2; list < len(tokens) && tokens[list] != ")"; list++ {
				if isName(tokens[list]) {
					q.labels[tokens[list]] = true
				}
			}
		case i < list, next == "(", next == "by", next == "without", promWords[token]:
		default:
			metric = token
			q.metrics[token] = true
		}
	}
	return q
}

func isName(token string) bool {
	c := token[0]
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func TestPromQLNames(t *testing.T) {
	q := parsePromQL(`sum by (job, group) (increase(a_total{cause="x y", job=~"$job"}[5m])) > 0.5 * on (instance) group_left () b and c unless c offset 15m`)
	for _, name := range []string{"a_total", "b", "c"} {
		if !q.metrics[name] {
			t.Errorf("%s is not found", name)
		}
	}
	if len(q.metrics) != 3 || len(q.labels) != 4 || !q.labels["group"] || !q.labels["instance"] {
		t.Errorf("%v %v", q.metrics, q.labels)
	}
	if len(q.matchers) != 2 || q.matchers[0] != (matcher{"a_total", "cause", "=", "x y"}) {
		t.Errorf("%v", q.matchers)
	}
}
