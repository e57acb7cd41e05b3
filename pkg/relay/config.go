package relay

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// The values used where Config leaves a field zero, except DefaultIdleTimeout,
// which callers set themselves because zero turns the timer off.
const (
	DefaultIdleTimeout = 60 * time.Second // (C6)
	DefaultPingEvery   = 30 * time.Second // (C6)
	DefaultMaxMessage  = 5_000_000        // (C9)
	DefaultBackoffMin  = time.Second      // (C8)
	DefaultBackoffMax  = 30 * time.Second // (C8)
	DefaultDialTimeout = 30 * time.Second
	DefaultChunkFrames = 64
	DefaultChunkBytes  = 256 << 10
)

// Config says which relay to follow and how. Only Endpoint is required.
type Config struct {
	Endpoint Endpoint
	// UserAgent is sent as given; relays record consumers by it (C4).
	UserAgent string
	// IdleTimeout is how long the relay may send no new event before the
	// connection is given up (C6). Nothing else renews it. Zero turns it off.
	IdleTimeout time.Duration
	// PingEvery is the interval of pings to the relay (C6).
	PingEvery time.Duration
	// MaxMessage is the largest message accepted, in bytes (C9).
	MaxMessage int
	// BackoffMin and BackoffMax bound the delay between dials, before jitter
	// takes up to half of it (C8).
	BackoffMin, BackoffMax time.Duration
	// DialTimeout bounds one dial including proxies, TLS, redirects and the
	// upgrade.
	DialTimeout time.Duration
	// TLS may hold roots, a client certificate and a server name; nil uses
	// the system's roots. It is cloned; nothing below TLS 1.2 is spoken.
	TLS *tls.Config
	// TLSNow is asked before each dial in place of TLS, for files that are
	// renewed while the program runs; nil for most.
	TLSNow func() *tls.Config
	// Dial opens TCP connections; nil uses the network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Jitter draws from [0,1) how a wait is spread; nil draws at random. A run
	// that is to be repeated exactly gives one of its own.
	Jitter func() float64
	// ChunkFrames and ChunkBytes are when a chunk is handed over at the
	// latest; a chunk exceeds ChunkBytes by at most one message.
	ChunkFrames, ChunkBytes int
	// Linger is how long the reader stays away from a socket that it has
	// just read empty, unless half a megabyte comes before. A quiet stream
	// then comes in bursts, and a frame costs a fraction of the wake-ups; a
	// fast one is not kept waiting. An event waits this long at most; the chunk
	// says that it need not wait again (event.Chunk.Lull). It is 0 where the
	// system cannot wake the reader early (hasLowWater).
	Linger time.Duration

	// Notify hears every change of the connection, from the ranging
	// goroutine; it must not block. Each failed dial and each ended
	// connection is one LinkDown, whose Cause is one of the words of Cause.
	// Retry is the delay before the next dial; it is longer when the
	// connection brought frames but no progress. May be nil.
	Notify func(event.Link)
	// Alarm hears what an operator must look at, from the ranging goroutine;
	// it must not block. May be nil.
	Alarm func(a event.Alarm, seq event.Seq, detail string)
	// Logger gets details for debugging; nil is silent.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	orDefault(&c.PingEvery, DefaultPingEvery)
	orDefault(&c.MaxMessage, DefaultMaxMessage)
	orDefault(&c.BackoffMin, DefaultBackoffMin)
	orDefault(&c.BackoffMax, DefaultBackoffMax)
	orDefault(&c.DialTimeout, DefaultDialTimeout)
	orDefault(&c.ChunkFrames, DefaultChunkFrames)
	orDefault(&c.ChunkBytes, DefaultChunkBytes)
	if !hasLowWater {
		c.Linger = 0 // a full socket, waiting for its time, would be the speed limit
	}
	if c.UserAgent == "" {
		c.UserAgent = "fhctl"
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	c.TLS = atLeastTLS12(c.TLS)
	if c.Notify == nil {
		c.Notify = func(event.Link) {}
	}
	if c.Alarm == nil {
		c.Alarm = func(event.Alarm, event.Seq, string) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// atLeastTLS12 is a copy without what is no encryption worth the name, whoever
// asks for it.
func atLeastTLS12(cfg *tls.Config) *tls.Config {
	if cfg = cfg.Clone(); cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	return cfg
}

// tls is what the next dial uses.
func (c *Config) tls() *tls.Config {
	if c.TLSNow == nil {
		return c.TLS
	}
	return atLeastTLS12(c.TLSNow())
}

func orDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// largeMessage is the memory in which any message fits behind what of a chunk may
// precede it, in bytes.
func (c *Config) largeMessage() int { return c.ChunkBytes + c.MaxMessage + minRead }
