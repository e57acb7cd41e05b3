package jsonscan

// Members tells each member of a JSON object in the order they stand: its name,
// and its value as JSON. ok is false, at the latest after the last that was
// sound, when object is no object.
func Members(object string, tell func(name, value string)) (ok bool) {
	s := NewScanner(object)
	return s.At('{') && s.Members(func(name string) bool {
		start := s.pos
		if !s.Skip(1) {
			return false
		}
		tell(name, s.Since(start))
		return true
	}) && s.End()
}

// Walk tells each element of a JSON array, or each member of an object, in the order
// they stand: where it begins, its name, which elements have none, and its value as
// JSON. tell ends the walk with false. What is no container has nothing inside.
func Walk(container string, tell func(at int, name, value string) (more bool)) {
	s := NewScanner(container)
	one := func(at int, name string) bool {
		start := s.pos
		return s.Skip(1) && tell(at, name, s.Since(start))
	}
	switch {
	case s.At('['):
		s.Elements(func() bool { return one(s.pos, "") })
	case s.At('{'):
		s.keys(func(at int, key string) bool { return one(at, Unescape(key)) })
	}
}

// NameAt is the name of a member that begins where Walk told.
func NameAt(object string, at int) string {
	s := Scanner{tape: Tape{text: object}, pos: at}
	key, _ := s.raw()
	return Unescape(key)
}

// MemberAt reads the member of an object that begins where Walk told.
func MemberAt(object string, at int) (name, value string) {
	s := Scanner{tape: Tape{text: object}, pos: at}
	key, _ := s.raw()
	s.take(':')
	start := s.pos
	s.Skip(1)
	return Unescape(key), s.Since(start)
}

// Text is what a JSON text says; ok is false for any other value.
func Text(value string) (text string, ok bool) {
	s := Scanner{tape: Tape{text: value}}
	raw, ok := s.raw()
	if !ok || !s.End() {
		return "", false
	}
	return Unescape(raw), true
}
