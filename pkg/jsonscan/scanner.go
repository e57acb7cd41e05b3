package jsonscan

// Scanner reads JSON from its beginning to its end and checks it while passing over
// it. It allocates nothing but the names and texts that hold escapes. Its methods leave
// it behind what they read and report whether that was sound; after one that was not,
// where it stands means nothing.
type Scanner struct {
	tape Tape // which keeps no nodes
	pos  int
}

// NewScanner begins with text and leaves out the space before it.
func NewScanner(text string) Scanner {
	s := Scanner{tape: Tape{text: text}}
	s.space()
	return s
}

// Pos is where in the text it stands.
func (s *Scanner) Pos() int { return s.pos }

// Since is the text from a position to where it stands.
func (s *Scanner) Since(pos int) string { return s.tape.text[pos:s.pos] }

// At reports whether a value, or what else there is, begins with c.
func (s *Scanner) At(c byte) bool { return s.pos < len(s.tape.text) && s.tape.text[s.pos] == c }

func (s *Scanner) space() { s.pos = s.tape.space(s.pos) }

// take reads c with space around it.
func (s *Scanner) take(c byte) bool {
	if !s.close(c) {
		return false
	}
	s.space()
	return true
}

// close reads c with space before it, so that views end behind c.
func (s *Scanner) close(c byte) bool {
	if !s.At(c) { // as a rule there is no space
		s.space()
		if !s.At(c) {
			return false
		}
	}
	s.pos++
	return true
}

// End reports whether nothing but space is left.
func (s *Scanner) End() bool {
	s.space()
	return s.pos == len(s.tape.text)
}

// IsUTF8 reports whether all of the text is, once it was read to its end.
func (s *Scanner) IsUTF8() bool { return s.tape.isUTF8() }

// Members reads an object, which must be there; member is called before each value and
// reads it.
func (s *Scanner) Members(member func(name string) bool) bool {
	return s.keys(func(_ int, key string) bool { return member(Unescape(key)) })
}

// keys is Members with where each key begins, and what stands between its quotes.
func (s *Scanner) keys(member func(at int, key string) bool) bool {
	s.take('{')
	if s.close('}') {
		return true
	}
	for {
		at := s.pos
		key, ok := s.raw()
		if !ok || !s.take(':') || !member(at, key) {
			return false
		}
		if !s.take(',') {
			return s.close('}')
		}
	}
}

// Elements reads an array, which must be there; element is called before each and
// reads it.
func (s *Scanner) Elements(element func() bool) bool {
	s.take('[')
	if s.close(']') {
		return true
	}
	for {
		if !element() {
			return false
		}
		if !s.take(',') {
			return s.close(']')
		}
	}
}

// Skip passes over one value, which stands in so many containers.
func (s *Scanner) Skip(depth int) bool {
	end := s.tape.value(s.pos, depth+1)
	if end < 0 {
		return false
	}
	s.pos = end
	return true
}

// Text reads a text into to. Another value, in a container, is passed over and leaves
// to empty.
func (s *Scanner) Text(to *string) bool {
	*to = ""
	if !s.At('"') {
		return s.Skip(1)
	}
	raw, ok := s.raw()
	if ok {
		*to = Unescape(raw)
	}
	return ok
}

// raw reads a text and gives what stands between its quotes.
func (s *Scanner) raw() (raw string, ok bool) {
	if !s.At('"') {
		return "", false
	}
	start, end := s.pos+1, s.tape.str(s.pos)
	if end < 0 {
		return "", false
	}
	s.pos = end
	return s.tape.text[start : end-1], true
}
