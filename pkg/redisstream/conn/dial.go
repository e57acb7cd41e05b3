package conn

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Client is a client of go-redis that connects on first use: one connection, no
// retries of its own, context deadlines honoured, replies bounded. Close it when done.
type Client struct {
	redis.UniversalClient
	sockets sockets
}

// Dial makes a Client for replies of up to ReadReply.
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
func Dial(c Connection) (*Client, error) {
	t, err := Parse(c)
	if err != nil {
		return nil, err
	}
	return t.Connect(ReadReply), nil
}

// Connect makes a Client for replies of up to so many bytes in memory. Errors come
// with its first command.
func (t *Target) Connect(reply int64) *Client {
	silence()
	c, client := &t.connection, new(Client)
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
	o.Dialer = client.sockets.dialer(t, reply)
	switch {
	case t.network == "unix":
		simple := o.Simple()
		simple.Network = "unix"
		client.UniversalClient = redis.NewClient(simple)
	default:
		client.UniversalClient = redis.NewUniversalClient(&o)
	}
	if !t.Cluster() {
		client.AddHook(alone{})
	}
	return client
}

// Interrupt ends what waits on any of the open connections; the next command dials
// anew.
func (c *Client) Interrupt() { c.sockets.interrupt() }

// End ends what waits on any of the connections, now and from now on.
func (c *Client) End() { c.sockets.end() }

// IsCluster reports whether this is a client of Redis Cluster.
func (c *Client) IsCluster() bool {
	_, ok := c.UniversalClient.(*redis.ClusterClient)
	return ok
}

// Rediscover looks for nodes of a cluster that moved: by itself go-redis does so
// rarely. Outside of a cluster it does nothing.
func (c *Client) Rediscover(ctx context.Context) {
	if cluster, ok := c.UniversalClient.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}

// ForKey is a client of the server that holds a key.
func (c *Client) ForKey(ctx context.Context, key string) (redis.Cmdable, error) {
	cluster, ok := c.UniversalClient.(*redis.ClusterClient)
	if !ok {
		return c.UniversalClient, nil
	}
	return cluster.MasterForKey(ctx, key)
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

// silence keeps go-redis from printing to standard error: what it would say
// reaches our callers as errors. Its logger is one per process.
var silence = sync.OnceFunc(func() { redis.SetLogger(mute{}) })

type mute struct{}

// Printf drops the line.
func (mute) Printf(context.Context, string, ...any) {}
