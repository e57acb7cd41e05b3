package event

import "slices"

// Kind tells events apart.
type Kind uint8

// The kinds of protocol.md. Unknown covers header types and ops this version
// does not know: they are counted and passed over (F3).
const (
	KindUnknown Kind = iota
	KindCommit
	KindSync
	KindIdentity
	KindAccount
	KindInfo
	KindError
	kindCount
)

// Kinds is how many kinds there are: a size for tables indexed by Kind.
const Kinds = int(kindCount)

var kindNames = [Kinds]string{"unknown", "commit", "sync", "identity", "account", "info", "error"}

// String is the wire name without its '#'.
func (k Kind) String() string { return kindNames[k] }

// ParseKind reads what String prints.
func ParseKind(name string) (Kind, bool) {
	for k, known := range kindNames {
		if known == name {
			return Kind(k), true
		}
	}
	return KindUnknown, false
}

// Action is what an op does to its record.
type Action uint8

// The actions of a commit op.
const (
	ActionNone Action = iota
	Create
	Update
	Delete
)

var actionNames = [...]string{"", "create", "update", "delete"}

// String is the wire name.
func (a Action) String() string { return actionNames[a] }

// ParseAction reads a wire name; ok is false, and the action ActionNone, for any other.
func ParseAction(name string) (a Action, ok bool) {
	at := slices.Index(actionNames[Create:], name)
	return Action(at + 1), at >= 0
}

// Event is one decoded frame. A decoder reuses it: all byte slices point into
// the frame or into the decoder's own memory and may be read only until the
// decoder's next Decode. Copy what must live longer.
//
// Only the payload that Kind names is meaningful.
type Event struct {
	Kind Kind
	Seq  Seq    // 0 when the event carries none (info, error, some unknowns)
	DID  []byte // "repo" of a commit, "did" of the others
	Time []byte // as the relay sent it; informal, never order by it (E6)
	Type []byte // the header's t without '#'; names an unknown kind

	Commit   Commit
	Sync     Sync
	Identity Identity
	Account  Account
	Notice   Notice // info and error

	// Flags are oddities that were tolerated; see Flag.
	Flags Flags
}

// Commit is the payload of a #commit.
type Commit struct {
	CID      []byte // binary CID of the commit block
	PrevData []byte // binary CID; nil when absent or null
	Rev      []byte
	Since    []byte // nil when absent or null
	Blocks   []byte // the CAR, unparsed
	Ops      []Op
}

// Op is one change of a commit.
type Op struct {
	Action Action
	Path   []byte // collection/rkey
	CID    []byte // binary CID; nil on delete
	Prev   []byte // binary CID of the former record; nil when absent
	// Record is the canonical atproto JSON of Block; nil on delete, on an op
	// with a Skip reason, and where the decoder was to leave records as blocks.
	Record []byte
	Block  []byte // the record's DAG-CBOR, hash checked
	// Number tells the blocks of a commit apart: ops of one number name the
	// same block. It means nothing where Block is nil.
	Number int
	// Skip is why consumers must not see this op; 0 means deliver it.
	Skip Reason
}

// Collection is the part of the path before the slash.
func (o *Op) Collection() []byte {
	for i, c := range o.Path {
		if c == '/' {
			return o.Path[:i]
		}
	}
	return o.Path
}

// Sync is the payload of a #sync. It holds no records (V8).
type Sync struct {
	Rev    []byte
	Blocks []byte
}

// Identity is the payload of an #identity.
type Identity struct {
	Handle []byte // nil when the relay gave none, or one without the form of a handle; may be "handle.invalid"
}

// Account is the payload of an #account.
type Account struct {
	Active bool
	Status []byte // nil when absent; open-ended (E3)
}

// Notice is the payload of an #info ("name", "message") or of an error frame
// ("error", "message"). It never moves the cursor (F5).
type Notice struct {
	Name    []byte
	Message []byte
}

// Flag is one tolerated oddity; Flags is a set of them.
type (
	Flag  uint8
	Flags uint16
)

// The oddities that are kept, delivered and counted (DRISL policy in
// protocol.md: keep, flag, continue).
const (
	// FlagEnvelope: the header or payload is not canonical CBOR.
	FlagEnvelope Flag = iota
	// FlagRecord: a delivered record's CBOR is not canonical but has one
	// exact meaning.
	FlagRecord
	// FlagRoot: the CAR's first root is not the commit (B1).
	FlagRoot
	// FlagHandle: an identity's handle has not the form of one, as a DID has
	// not; it is left out, as if the relay had given none.
	FlagHandle
	flagCount
)

// FlagKinds is how many flags there are.
const FlagKinds = int(flagCount)

var flagNames = [FlagKinds]string{"envelope_not_canonical", "record_not_canonical", "car_root_mismatch", "handle_left_out"}

// String is the flag's metric label.
func (f Flag) String() string { return flagNames[f] }

// Set adds f.
func (s *Flags) Set(f Flag) { *s |= 1 << f }

// Has reports whether f is in the set.
func (s Flags) Has(f Flag) bool { return s&(1<<f) != 0 }
