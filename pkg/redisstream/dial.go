package redisstream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Dial makes a client that connects on first use: one connection, no retries
// of its own, context deadlines honoured. The caller closes it.
//
// URL forms, with PASSWORD percent-encoded:
//
//	redis://[USER:PASSWORD@]HOST[:PORT][/DB]     rediss:// for TLS
//	unix://[USER:PASSWORD@]/PATH[?db=DB]
//	redis-sentinel://[USER:PASSWORD@]H1:P,H2:P/MASTER[/DB]
//	    [?sentinel_username=U&sentinel_password=P]; rediss-sentinel:// for TLS
//	redis-cluster://[USER:PASSWORD@]H1:P,H2:P    rediss-cluster:// for TLS
//
// Errors are fault.Usage and never contain the password.
func Dial(c Connection) (redis.UniversalClient, error) {
	c = c.withDefaults()
	t, err := c.parse()
	if err != nil {
		return nil, err
	}
	return c.dial(t, new(sockets)), nil
}

func (c Connection) dial(t *target, known *sockets) redis.UniversalClient {
	silence()
	o := t.options
	o.OnConnect = nameClient
	o.DisableIdentity = true
	// RESP2 has no push messages, which would be read before each exchange.
	o.Protocol = 2
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = c.CommandTimeout, c.CommandTimeout, c.CommandTimeout
	// One connection carries everything, pipelines included: the order of
	// what is sent is the order in which it is applied.
	o.PoolSize, o.PipelinePoolSize = 1, -1
	o.WriteBufferSize = 64 << 10
	o.ConnMaxIdleTime = -1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.Dialer = known.dialer(c, t)
	if t.cluster() {
		return redis.NewUniversalClient(&o)
	}
	client := redis.UniversalClient(nil)
	if t.network == "unix" {
		simple := o.Simple()
		simple.Network = "unix"
		client = redis.NewClient(simple)
	} else {
		client = redis.NewUniversalClient(&o)
	}
	client.AddHook(alone{})
	return client
}

// nameClient tells the server who is connected, for CLIENT LIST. A server, a proxy
// or a user without that command works all the same.
func nameClient(ctx context.Context, conn *redis.Conn) error {
	err := conn.ClientSetName(ctx, "fhctl").Err()
	var reply redis.Error
	if errors.As(err, &reply) {
		return nil
	}
	return err
}

// within bounds one exchange with Redis.
func (c Connection) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.CommandTimeout+time.Second)
}

// slowestLink is the rate at which what is sent must at least arrive, in bytes a
// second: 13 MB may take 50 s, on a link where they would never arrive in 5.
const slowestLink = 256 << 10

// withinFor bounds an exchange that sends so many bytes. A link that stands still is
// noticed all the same after the command timeout: see socket.Write.
func (c Connection) withinFor(ctx context.Context, size int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.CommandTimeout+time.Second+onLink(size))
}

// onLink is how long so many bytes may be under way.
func onLink(size int) time.Duration { return time.Duration(size) * time.Second / slowestLink }

// silence keeps go-redis from printing to standard error: what it would say
// reaches our callers as errors. Its logger is one per process.
var silence = sync.OnceFunc(func() { redis.SetLogger(mute{}) })

type mute struct{}

// Printf drops the line.
func (mute) Printf(context.Context, string, ...any) {}
