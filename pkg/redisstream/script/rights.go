package script

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
)

// CheckRights asks, without writing anything, whether the Redis user may run what a
// writer needs on these keys: each command is tried in a form that cannot do anything,
// since rights are checked before arguments. All that is missing is named at once, in
// a fault.Refused.
func CheckRights(ctx context.Context, c *conn.Client, k Keys) error {
	lease := keyspace.Lease(k.Cursor)
	pipe := c.Pipeline()
	for _, args := range [][]any{
		{"ping"},
		{"get", k.Cursor},
		{"get", k.Side},
		{"get", lease},
		{"set", k.Cursor, "", "NX", "XX"},
		{"set", k.Side, "", "NX", "XX"},
		{"set", lease, "", "NX", "XX"},
		{"xadd", k.Stream, "NOMKSTREAM", "no-id", "f", "v"},
		{"xtrim", k.Stream, "MAXLEN", "none"},
		{"xlen", k.Stream},
		{"xinfo", "groups", k.Stream},
		{"xpending", k.Stream, "fhctl-no-such-group"},
		{"xrange", k.Stream, "-", "+", "COUNT", "1"},
		{"xrevrange", k.Stream, "(0-1", "-", "COUNT", "1"},
		append([]any{"evalsha", strings.Repeat("0", 40)}, k.KeyArgs()...),
		append([]any{"eval", "return 1"}, k.KeyArgs()...),
	} {
		pipe.Do(ctx, args...)
	}
	cmds := conn.Exchange(ctx, pipe)
	var missing, barred []string
	var denied, unknown error
	for _, cmd := range cmds {
		err := cmd.Err()
		var reply redis.Error
		switch {
		case err == nil, errors.Is(err, redis.Nil):
		case !errors.As(err, &reply):
			return err
		case conn.IsDenied(err):
			missing, denied = append(missing, strings.TrimSpace(cmd.Name()+" "+keyOf(cmd))), err
		case conn.IsBarred(err):
			barred, unknown = append(barred, cmd.Name()), err
		}
	}
	switch {
	case unknown != nil:
		return fault.New(fault.Refused, fmt.Errorf("this Redis does not run %s: %w", strings.Join(slices.Compact(barred), ", "), unknown), conn.BarredHint)
	case denied == nil:
		return nil
	}
	return fault.New(fault.Refused, fmt.Errorf("the Redis user may not run %s: %w", strings.Join(missing, ", "), denied), conn.RightsHint)
}

// keyOf is the key a probe is about.
func keyOf(cmd redis.Cmder) string {
	args := cmd.Args()
	switch cmd.Name() {
	case "evalsha", "eval":
		return "(scripts)"
	case "ping":
		return ""
	case "xinfo":
		return fmt.Sprint(args[2])
	}
	return fmt.Sprint(args[1])
}
