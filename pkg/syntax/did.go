package syntax

// The longest DIDs in bytes: the contract wants fewer than 256, atproto allows
// 2,048.
const (
	maxValidDID = 255
	maxDID      = 2048
)

// ValidDID reports whether consumers accept did: the contract's
// ^did:[a-z0-9]+:[A-Za-z0-9._:%-]+$, shorter than 256 bytes.
func ValidDID[T Text](did T) bool {
	if len(did) > maxValidDID || len(did) < len("did:a:b") || string(did[:4]) != "did:" {
		return false
	}
	at := 4
	for at < len(did) && (isLower(did[at]) || isDigit(did[at])) {
		at++
	}
	if at == 4 || at >= len(did)-1 || did[at] != ':' {
		return false
	}
	for _, c := range []byte(did[at+1:]) {
		if didByte[c] == 0 {
			return false
		}
	}
	return true
}

// didByte has a one for each byte of a DID's last part.
var didByte = [256]byte{
	'.': 1, '_': 1, ':': 1, '%': 1, '-': 1,
	'0': 1, '1': 1, '2': 1, '3': 1, '4': 1, '5': 1, '6': 1, '7': 1, '8': 1, '9': 1,
	'A': 1, 'B': 1, 'C': 1, 'D': 1, 'E': 1, 'F': 1, 'G': 1, 'H': 1, 'I': 1, 'J': 1, 'K': 1, 'L': 1, 'M': 1,
	'N': 1, 'O': 1, 'P': 1, 'Q': 1, 'R': 1, 'S': 1, 'T': 1, 'U': 1, 'V': 1, 'W': 1, 'X': 1, 'Y': 1, 'Z': 1,
	'a': 1, 'b': 1, 'c': 1, 'd': 1, 'e': 1, 'f': 1, 'g': 1, 'h': 1, 'i': 1, 'j': 1, 'k': 1, 'l': 1, 'm': 1,
	'n': 1, 'o': 1, 'p': 1, 'q': 1, 'r': 1, 's': 1, 't': 1, 'u': 1, 'v': 1, 'w': 1, 'x': 1, 'y': 1, 'z': 1,
}

// StrictDID reports whether did has atproto's form: a method of lower-case letters,
// and an identifier that does not end in ':' or '%', at most 2,048 bytes.
func StrictDID[T Text](did T) bool {
	if len(did) > maxDID || len(did) < len("did:a:b") || string(did[:4]) != "did:" {
		return false
	}
	at := 4
	for at < len(did) && isLower(did[at]) {
		at++
	}
	if at == 4 || at >= len(did)-1 || did[at] != ':' {
		return false
	}
	for _, c := range []byte(did[at+1:]) {
		if didByte[c] == 0 {
			return false
		}
	}
	last := did[len(did)-1]
	return last != ':' && last != '%'
}
