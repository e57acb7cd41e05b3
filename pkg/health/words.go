package health

const (
	maxWords   = 32 // label values one metric may have, besides "other"
	maxWord    = 64 // bytes of a label value
	otherWords = "other"
)

// words counts by label. It holds at most maxWords labels, or as many as it was
// made with; the rest is counted as "other", so that no label can exhaust the
// memory of whoever scrapes us.
type words struct {
	n     map[string]uint64
	limit int
}

func newWords(known []string) words {
	w := words{n: make(map[string]uint64, len(known)+1)}
	for _, word := range known {
		if isWord(word) {
			w.n[word] = 0
		}
	}
	w.n[otherWords] = 0
	w.limit = max(maxWords, len(w.n)-1) + 1
	return w
}

func (w *words) add(word string, n uint64) {
	if _, known := w.n[word]; !known && (len(w.n) >= w.limit || !isWord(word)) {
		word = otherWords
	}
	w.n[word] += n
}

// isWord accepts printable ASCII: one label that is not UTF-8 would make the
// whole scrape fail.
func isWord(word string) bool {
	for _, c := range []byte(word) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return word != "" && len(word) <= maxWord
}

// causeWord is cause, or "other" when it is not lower-case letters, digits and
// underscores: something that is not from a closed set could hold anything. An
// empty cause stays empty.
func causeWord(cause string) string {
	for _, c := range []byte(cause) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return otherWords
		}
	}
	if len(cause) > maxWord {
		return otherWords
	}
	return cause
}
