package config

import (
	"log/slog"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
)

// Config is every setting, checked. The zero value is not usable: Load makes
// one. It holds nothing that needs closing and may be copied.
type Config struct {
	File    string // the YAML file read, or ""
	Relay   Relay
	Redis   Redis
	Ingest  Ingest
	Health  Health
	Log     Log
	Timeout time.Duration // of the whole command; 0 is none

	// Values lists every setting in the order of the table, with where it
	// came from and with passwords masked.
	Values []Value
	// Warnings are for the log, once each: legal settings an operator
	// should not be surprised by.
	Warnings []string

	secret secretFile
}

// Relay is where events come from.
type Relay struct {
	// URL is wss://HOST, ws://HOST, a host alone, any of them with the path
	// of subscribeRepos, sim://… or capture:FILE. It may hold a password:
	// print fault.Redact(URL).
	URL       string
	Cleartext bool   // ws:// is allowed to hosts that are not loopback
	TLSCA     string // PEM file; "" trusts the system's authorities
}

// String shows the URL without its password, so that printing a Config is safe.
func (r Relay) String() string { return fault.Redact(r.URL) }

// GoString is String.
func (r Relay) GoString() string { return r.String() }

// Redis is where entries go.
type Redis struct {
	// URL may hold a password: print fault.Redact(URL).
	URL           string
	URLName       string // where it was given, for messages
	PasswordName  string // the same of PasswordFile
	PasswordFile  string // read it with ReadSecret; "" is none
	TLSCA         string // PEM file; "" trusts the system's authorities
	TLSCert       string // PEM file; set together with TLSKey or not at all
	TLSKey        string // PEM file
	TLSServerName string // "" is the URL's host
	TLSSkipVerify bool
	StreamKey     string
	CursorKey     string
	Partitions    int    // streams the events are spread over; 1 is StreamKey itself
	MaxStreamLen  int64  // entries kept, about; 0 never trims
	WhenFull      string // WhenFullTrim, WhenFullBlock or WhenFullSpill
	SpillDir      string // of WhenFullSpill
	SpillMaxBytes int64
	GroupTimeout  time.Duration // 0 is for ever
	AllowEviction bool          // start although Redis may evict the stream
	Dashboard     bool          // write the dashboard's keys and channel
}

// What to do with entries beyond MaxStreamLen that some group has not finished.
const (
	WhenFullTrim  = "trim"  // trim them and tell
	WhenFullBlock = "block" // stop reading until it has
	WhenFullSpill = "spill" // keep reading, into files
)

// String shows the URL without its password, so that printing a Config is safe.
func (r Redis) String() string { return fault.Redact(r.URL) }

// GoString is String.
func (r Redis) GoString() string { return r.String() }

// Ingest is what is read, kept and given up.
type Ingest struct {
	From            From
	UntilSeq        event.Seq // stop once it is stored; 0 never stops
	OnReset         string    // OnResetWait or OnResetFollow
	Collections     []string  // NSIDs and "ns.*" patterns; empty keeps all
	DIDs            []string  // empty keeps all
	Kinds           []string  // commit, identity, account; empty keeps all
	BatchSize       int       // entries, 1 to 10000
	BatchAge        time.Duration
	IdleTimeout     time.Duration // 0 is off
	Decoders        int           // 0 lets the pipeline choose
	QueueBytes      int64
	RejectsDir      string // "" keeps no rejected frames
	RejectsMaxBytes int64
}

// What to do when the relay's numbering restarts below the cursor (Q6, Q7).
const (
	OnResetWait   = "wait"   // alarm and wait for the operator
	OnResetFollow = "follow" // alarm and go on with the new numbering
)

// From is where reading begins.
type From struct {
	// Saved means the cursor in Redis and, where there is none, live.
	Saved bool
	// Position holds when Saved is false.
	Position event.Position
}

// String is the value as --from takes it.
func (f From) String() string {
	if f.Saved {
		return "saved"
	}
	return f.Position.String()
}

// Health is the listener for liveness, readiness and metrics.
type Health struct {
	Addr  string   // HOST:PORT; "" is off
	Hosts []string // further names that callers may use for it
}

// Log is how the program talks on standard error.
type Log struct {
	Level   slog.Level // LevelCritical is above slog.LevelError
	Format  string     // FormatAuto, FormatText or FormatJSON
	NoColor bool
}

// LevelCritical is what LOG_LEVEL=CRITICAL lets through.
const LevelCritical = slog.LevelError + 4

// The log formats. Auto is text on a terminal and JSON elsewhere.
const (
	FormatAuto = "auto"
	FormatText = "text"
	FormatJSON = "json"
)

// Value is one setting as it holds, ready to be shown.
type Value struct {
	Name   string // flag without dashes, and file key
	Text   string // as written, passwords masked; lists joined with commas
	Origin Origin
}

// Layer is one of the places a value can come from.
type Layer uint8

// The layers, weakest first.
const (
	LayerDefault Layer = iota
	LayerFile
	LayerEnvironment
	LayerFlag
)

var layerNames = [...]string{"default", "file", "environment", "flag"}

// String is the layer's name.
func (l Layer) String() string { return layerNames[l] }

// Origin is where a value came from.
type Origin struct {
	Layer Layer
	Where string // the variable, the flag with its dashes, or the file's path
}

// String is the origin as messages print it: "flag --batch-size",
// "environment REDIS_URL", "file /etc/fhctl.yaml", "default".
func (o Origin) String() string {
	if o.Where == "" {
		return o.Layer.String()
	}
	return o.Layer.String() + " " + o.Where
}

// Origin is where the named setting came from; the zero Origin, default, for a
// name that does not exist.
func (c *Config) Origin(name string) Origin {
	for _, v := range c.Values {
		if v.Name == name {
			return v.Origin
		}
	}
	return Origin{}
}
