package conn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
)

const (
	// DefaultURL is where a Connection without a URL goes (contract §2).
	DefaultURL = "redis://localhost:6379"
	// DefaultCommandTimeout bounds dialling and each exchange with Redis.
	DefaultCommandTimeout = 5 * time.Second
)

// Connection says how to reach Redis.
type Connection struct {
	// URL is redis://, rediss://, unix://, redis-sentinel:// or
	// redis-cluster://; see Dial.
	URL string
	// Password goes with the URL's user where the URL has none, which is for
	// passwords that come from a file; "" is none.
	Password string
	// URLName and PasswordName say in errors and hints where the two were given, such
	// as "REDIS_URL"; "" is "the Redis URL" and "the password beside the URL".
	URLName, PasswordName string

	TLS TLS
	// CommandTimeout bounds dialling and each exchange; 0 means
	// DefaultCommandTimeout.
	CommandTimeout time.Duration
	// HandshakeTimeout bounds a TLS handshake, so that one without an answer is told
	// before the caller's own time is over; 0 means three quarters of CommandTimeout.
	HandshakeTimeout time.Duration
	Logger           *slog.Logger // nil is silent
	// Dialer opens connections instead of the network; nil for most. TLS is
	// then its own affair.
	Dialer func(ctx context.Context, network, addr string) (net.Conn, error)
	// Jitter draws from [0,1) how a wait is spread; nil draws at random. A run
	// that is to be repeated exactly gives one of its own.
	Jitter func() float64
}

// TLS adds to what a rediss:// URL implies. Files are PEM.
type TLS struct {
	CA         string // instead of the system's authorities
	Cert, Key  string // client certificate
	ServerName string
	SkipVerify bool // accept any certificate
}

func (t TLS) used() bool { return t != TLS{} }

// WithDefaults fills in what is not set.
func (c Connection) WithDefaults() Connection {
	c.URL = cmp.Or(c.URL, DefaultURL)
	if c.CommandTimeout <= 0 {
		c.CommandTimeout = DefaultCommandTimeout
	}
	if most := c.CommandTimeout / 4 * 3; c.HandshakeTimeout <= 0 || c.HandshakeTimeout > most {
		c.HandshakeTimeout = most
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Classed wraps an error of one exchange with what failed and its class.
func (c Connection) Classed(ctx context.Context, doing string, err error) error {
	over := fault.Ended(ctx)
	err = worded(err)
	switch cause := CauseOf(err); {
	case over != nil && (errors.Is(err, over) || errors.Is(err, os.ErrDeadlineExceeded)):
		return fmt.Errorf("%s: %w", doing, over)
	case over != nil:
		return fmt.Errorf("%s: %w (Redis: %w)", doing, over, err)
	case cause == "":
		return fmt.Errorf("%s: %w", doing, c.Final(err))
	case WrongURL(err) != nil:
		return fault.New(fault.Usage, fmt.Errorf("%s: %w", doing, WrongURL(err)), Hint(err))
	case Hint(err) != "":
		return fault.New(fault.Unreachable, fmt.Errorf("%s: %w", doing, err), Hint(err))
	default:
		return fault.New(fault.Unreachable, fmt.Errorf("%s: %w", doing, err),
			fmt.Sprintf("is Redis running and ready at %s? Try: %s PING", fault.Redact(c.URL), c.shell()))
	}
}

// Within bounds one exchange with Redis.
func (c Connection) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.CommandTimeout+time.Second)
}

// slowestLink is the rate at which what is sent must at least arrive, in bytes a
// second: 13 MB may take 50 s, on a link where they would never arrive in 5.
const slowestLink = 256 << 10

// WithinFor bounds an exchange that sends so many bytes. A link that stands still is
// noticed all the same after the command timeout: see socket.Write.
func (c Connection) WithinFor(ctx context.Context, size int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.CommandTimeout+time.Second+onLink(size))
}

// onLink is how long so many bytes may be under way.
func onLink(size int) time.Duration { return time.Duration(size) * time.Second / slowestLink }

// Spread draws a wait between half and all of d, so that writers that lost the
// same server do not return to it at once.
func (c Connection) Spread(d time.Duration) time.Duration {
	return d/2 + time.Duration(c.Jitter()*float64(d/2))
}
