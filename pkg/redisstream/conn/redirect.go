package conn

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
)

// alone is a hook of clients that know one server. Redirections of a cluster do
// not pass for them, however long they wait.
type alone struct{}

// DialHook changes nothing.
func (alone) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook classes the error of one command.
func (alone) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if isRedirection(err) {
			err = needsCluster(err)
			cmd.SetErr(err)
		}
		return err
	}
}

// ProcessPipelineHook classes the errors of several.
func (alone) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if err == nil {
			return nil
		}
		for _, cmd := range cmds {
			if isRedirection(cmd.Err()) {
				cmd.SetErr(needsCluster(cmd.Err()))
			}
		}
		if isRedirection(err) {
			err = needsCluster(err)
		}
		return err
	}
}

func isRedirection(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return false
	}
	text := stripped(reply.Error())
	return strings.HasPrefix(text, "MOVED ") || strings.HasPrefix(text, "ASK ")
}

func needsCluster(err error) error {
	return fault.New(fault.Usage, err, "this server is a node of a Redis Cluster: write the URL with redis-cluster:// (rediss-cluster:// for TLS); stream and cursor must then share a slot, as with the cursor key {STREAM}:cursor")
}
