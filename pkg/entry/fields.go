package entry

// The names of the three fields of a stream entry, in the order in which workers read
// them. The Lua scripts spell them as well; nothing else does.
const (
	FieldType = "type"
	FieldData = "data"
	FieldSeq  = "seq"
)

// Fields are the three fields of a stream entry, as they stand: nothing about them has
// been checked. Of a name that occurs twice the first counts.
type Fields struct {
	Type, Data, Seq          string // "" also where there is none
	HasType, HasData, HasSeq bool
	// InOrder is set when the three stand first and in order, so that workers, which
	// read them by position, can.
	InOrder bool
}

// FieldsOf finds them in an entry: name, value, name, value, … in stored order. It
// allocates nothing.
func FieldsOf(list []string) (f Fields) {
	const three = 6
	if len(list) >= three && list[0] == FieldType && list[2] == FieldData && list[4] == FieldSeq {
		return Fields{list[1], list[3], list[5], true, true, true, true}
	}
	f.Type, f.HasType = Value(list, FieldType)
	f.Data, f.HasData = Value(list, FieldData)
	f.Seq, f.HasSeq = Value(list, FieldSeq)
	return f
}

// Missing names those that are not there, in order.
func (f *Fields) Missing() (names []string) {
	for _, field := range []struct {
		name string
		has  bool
	}{{FieldType, f.HasType}, {FieldData, f.HasData}, {FieldSeq, f.HasSeq}} {
		if !field.has {
			names = append(names, field.name)
		}
	}
	return names
}

// Value is the first value of a name in an entry; ok is false when there is none.
func Value(list []string, name string) (value string, ok bool) {
	for i := 0; i+1 < len(list); i += 2 {
		if list[i] == name {
			return list[i+1], true
		}
	}
	return "", false
}
