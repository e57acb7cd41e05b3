package conn

import (
	"context"
	"net"
	"strconv"
	"strings"
)

// Info is what a server tells of itself by the command INFO, by name; servers may lack
// any of it.
type Info map[string]string

// ParseInfo reads a reply to INFO.
func ParseInfo(text string) Info {
	info := Info{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

// ServerInfo asks the server that holds a key.
func (c *Client) ServerInfo(ctx context.Context, key string) (Info, error) {
	server, err := c.ForKey(ctx, key)
	if err != nil {
		return nil, err
	}
	text, err := server.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	return ParseInfo(text), nil
}

// Embedded reports whether it is the server inside an fhctl process.
func (i Info) Embedded() bool { return i["server_name"] == "fhctl-embedded" }

// HonoursLimit reports whether XTRIM knows MINID and LIMIT (Redis 6.2) and
// means them, which the embedded server does not.
func (i Info) HonoursLimit() bool {
	if i.Embedded() {
		return false
	}
	major, rest, _ := strings.Cut(i["redis_version"], ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	return a > 6 || a == 6 && b >= 2
}

// Number is a field that is a number; -1 where it is missing or none.
func (i Info) Number(name string) int64 {
	n, err := strconv.ParseInt(i[name], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// Primary is whose replica the server is, HOST:PORT; "" of a primary.
func (i Info) Primary() string {
	if i["master_host"] == "" {
		return ""
	}
	return net.JoinHostPort(i["master_host"], i["master_port"])
}

// Evicts reports whether the maxmemory-policy lets go of any keys.
func (i Info) Evicts() bool {
	policy := i["maxmemory_policy"]
	return policy != "" && policy != "noeviction"
}

// EvictsAny reports whether it lets go of keys that do not expire, such as stream
// and cursor. The policies named volatile- do not.
func (i Info) EvictsAny() bool {
	return i.Evicts() && !strings.HasPrefix(i["maxmemory_policy"], "volatile-")
}

// Row is a RESP2 map, such as a row of XINFO.
type Row map[string]any

// RowOf reads name, value, name, value, …; what is none of that is left out.
func RowOf(row any) Row {
	list, _ := row.([]any)
	f := make(Row, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		if name, ok := list[i].(string); ok {
			f[name] = list[i+1]
		}
	}
	return f
}

// Text is a string of the row; "" where it is missing.
func (r Row) Text(name string) string {
	s, _ := r[name].(string)
	return s
}

// Number is a number of the row; -1 where it is missing.
func (r Row) Number(name string) int64 {
	if n, ok := r[name].(int64); ok {
		return n
	}
	return -1
}

// TrustsLag reports whether the server's own lag of groups stays right when a stream was
// trimmed past a group: Redis from 7.2.6 and 7.4.1 on. Before, a group that lost entries
// unread goes on counting them.
func (i Info) TrustsLag() bool {
	if i["server_name"] != "" {
		return false
	}
	var v [3]int
	for at, part := range strings.SplitN(i["redis_version"], ".", 3) {
		v[at], _ = strconv.Atoi(part)
	}
	return v[0] > 7 || v[0] == 7 && (v[1] > 4 || v[1] == 4 && v[2] >= 1 || v[1] == 2 && v[2] >= 6)
}
