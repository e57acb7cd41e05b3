package syntax

// Text is what the predicates accept.
type Text interface{ ~string | ~[]byte }
