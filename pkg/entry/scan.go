package entry

// maxNesting bounds recursion; encoding/json stops there as well.
const maxNesting = 10_000

// scanner checks JSON (RFC 8259) while passing over it, without allocating.
// encoding/json needs several times as long, and would need it for every entry.
// Its methods leave pos behind what they read and report whether it was sound.
type scanner struct {
	text string
	pos  int
	high bool // a byte beyond ASCII occurred
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.text) && s.text[s.pos] == c }

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// take reads c with space around it.
func (s *scanner) take(c byte) bool {
	s.space()
	if !s.at(c) {
		return false
	}
	s.pos++
	s.space()
	return true
}

// end reports whether nothing but space is left.
func (s *scanner) end() bool {
	s.space()
	return s.pos == len(s.text)
}

// members reads an object; member is called with pos on each value and reads it.
func (s *scanner) members(member func(key string) bool) bool {
	return s.keys(func(_ int, key string) bool { return member(Unescape(key)) })
}

// keys is members with where each key begins, and what stands between its quotes.
func (s *scanner) keys(member func(at int, key string) bool) bool {
	s.take('{')
	if s.take('}') {
		return true
	}
	for {
		if !s.at('"') {
			return false
		}
		at := s.pos
		key, ok := s.str()
		if !ok || !s.take(':') || !member(at, key) {
			return false
		}
		if s.take(',') {
			continue
		}
		return s.close('}')
	}
}

// elements reads an array; element is called with pos on each and reads it.
func (s *scanner) elements(element func() bool) bool {
	s.take('[')
	if s.take(']') {
		return true
	}
	for {
		if !element() {
			return false
		}
		if s.take(',') {
			continue
		}
		return s.close(']')
	}
}

// close reads c and leaves pos directly behind it, so that views end there.
func (s *scanner) close(c byte) bool {
	s.space()
	if !s.at(c) {
		return false
	}
	s.pos++
	return true
}

// skip passes over one value.
func (s *scanner) skip(depth int) bool {
	if s.pos >= len(s.text) || depth > maxNesting {
		return false
	}
	switch c := s.text[s.pos]; c {
	case '"':
		_, ok := s.str()
		return ok
	case '{':
		return s.skipObject(depth)
	case '[':
		return s.skipArray(depth)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) skipObject(depth int) bool {
	s.pos++
	s.space()
	if s.close('}') {
		return true
	}
	for {
		if !s.at('"') {
			return false
		}
		if _, ok := s.str(); !ok || !s.take(':') || !s.skip(depth+1) {
			return false
		}
		if !s.take(',') {
			return s.close('}')
		}
	}
}

func (s *scanner) skipArray(depth int) bool {
	s.pos++
	s.space()
	if s.close(']') {
		return true
	}
	for {
		if !s.skip(depth + 1) {
			return false
		}
		if !s.take(',') {
			return s.close(']')
		}
	}
}

func (s *scanner) word(word string) bool {
	if len(s.text)-s.pos < len(word) || s.text[s.pos:s.pos+len(word)] != word {
		return false
	}
	s.pos += len(word)
	return true
}

// plain marks the bytes that a string may hold without further thought.
var plain = func() (table [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// str reads a string and gives what stands between its quotes.
func (s *scanner) str() (raw string, ok bool) {
	start := s.pos + 1
	for i := start; i < len(s.text); i++ {
		c := s.text[i]
		switch {
		case plain[c]:
		case c == '"':
			s.pos = i + 1
			return s.text[start:i], true
		case c == '\\':
			n := escapeLen(s.text[i:])
			if n == 0 {
				return "", false
			}
			i += n - 1
		case c < 0x20:
			return "", false
		default:
			s.high = true
		}
	}
	return "", false
}

// escapeLen is the length of the escape that text begins with; 0 if it is none.
func escapeLen(text string) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) < 6 {
			return 0
		}
		for _, c := range []byte(text[2:6]) {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return 0
			}
		}
		return 6
	}
	return 0
}

func (s *scanner) number() bool {
	if s.at('-') {
		s.pos++
	}
	if s.at('0') {
		s.pos++
	} else if !s.digits() {
		return false
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		return s.digits()
	}
	return true
}

// digits reads one or more.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.text) && s.text[s.pos] >= '0' && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}
