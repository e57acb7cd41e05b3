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
	return unescape(raw), true
}
