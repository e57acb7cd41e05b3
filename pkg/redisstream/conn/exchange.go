package conn

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Exchange sends what the pipeline holds and gives its commands, each with its own
// error. Where the server refuses the new connection itself, because it is busy or
// has too many, go-redis sends nothing and leaves the commands without an error;
// their empty replies must not be taken for answers.
func Exchange(ctx context.Context, pipe redis.Pipeliner) []redis.Cmder {
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return cmds
	}
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return cmds
		}
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return cmds
}
