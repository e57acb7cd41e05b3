package entry

// Partition is which of n partitions an entry belongs to, from 0: that of the
// account its data is about. Data that names none belongs to the partition of
// the empty DID. n is at least 1.
func Partition(data []byte, n int) int {
	if n <= 1 {
		return 0
	}
	return PartitionOf(AccountOf(data), n)
}

// AccountOf is the DID of the account an entry's data is about; empty when it names
// none. It may share the data's memory.
func AccountOf(data []byte) []byte {
	if did, ok := leadingDID(data); ok {
		return did
	}
	var outline Outline // somebody else's: the keys may have another order
	if outline.Read(string(data)) != nil {
		return nil
	}
	return []byte(outline.DID)
}

// PartitionOf is which of n partitions an account belongs to: the 32-bit FNV-1a
// hash of the DID's bytes, modulo n. A worker in any language can compute it in
// five lines; docs/stream-entry.md has vectors.
func PartitionOf[T ~string | ~[]byte](did T, n int) int {
	hash := uint32(2166136261)
	for i := range len(did) {
		hash = (hash ^ uint32(did[i])) * 16777619
	}
	return int(hash % uint32(n))
}

// leadingDID reads the DID where Append puts it: first.
func leadingDID(data []byte) (did []byte, ok bool) {
	for _, key := range []string{`{"repo":"`, `{"did":"`} {
		if len(data) < len(key) || string(data[:len(key)]) != key {
			continue
		}
		for i, c := range data[len(key):] {
			switch c {
			case '"':
				return data[len(key) : len(key)+i], true
			case '\\':
				return nil, false
			}
		}
	}
	return nil, false
}
