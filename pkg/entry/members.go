package entry

// Members tells each member of a JSON object in the order they stand: its name,
// and its value as JSON. ok is false, at the latest after the last that was
// sound, when object is no object.
func Members(object string, tell func(name, value string)) (ok bool) {
	s := scanner{text: object}
	s.space()
	return s.at('{') && s.members(func(name string) bool {
		start := s.pos
		if !s.skip(1) {
			return false
		}
		tell(name, s.text[start:s.pos])
		return true
	}) && s.end()
}

// Walk tells each element of a JSON array, or each member of an object, in the order
// they stand: where it begins, its name, which elements have none, and its value as
// JSON. tell ends the walk with false. What is no container has nothing inside.
func Walk(container string, tell func(at int, name, value string) (more bool)) {
	s := scanner{text: container}
	s.space()
	one := func(at int, name string) bool {
		start := s.pos
		return s.skip(1) && tell(at, name, s.text[start:s.pos])
	}
	switch {
	case s.at('['):
		s.elements(func() bool { return one(s.pos, "") })
	case s.at('{'):
		s.keys(func(at int, key string) bool { return one(at, Unescape(key)) })
	}
}

// NameAt is the name of a member that begins where Walk told.
func NameAt(object string, at int) string {
	s := scanner{text: object, pos: at}
	key, _ := s.str()
	return Unescape(key)
}

// MemberAt reads the member of an object that begins where Walk told.
func MemberAt(object string, at int) (name, value string) {
	s := scanner{text: object, pos: at}
	key, _ := s.str()
	s.take(':')
	start := s.pos
	s.skip(1)
	return Unescape(key), s.text[start:s.pos]
}

// Text is what a JSON text says; ok is false for any other value.
func Text(value string) (text string, ok bool) {
	s := scanner{text: value}
	if !s.at('"') {
		return "", false
	}
	raw, ok := s.str()
	if !ok || !s.end() {
		return "", false
	}
	return Unescape(raw), true
}
