package dagcbor

// Limits of one block, from the guide of the atproto data model (D4, E1).
const (
	MaxRecord   = 1 << 20 // bytes of a record block
	MaxDepth    = 32      // containers within one another
	MaxElements = 131_072 // elements of an array, pairs of a map
	MaxKey      = 8192    // bytes of a map key
)
