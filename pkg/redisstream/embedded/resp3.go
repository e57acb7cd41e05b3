package embedded

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"

	"github.com/alicebob/miniredis/v2/server"
)

// readAsMap runs XREAD or XREADGROUP for a RESP3 client. Redis answers those
// with a map there, miniredis with an array, which clients of newer libraries
// misread.
func readAsMap(srv *server.Server, c *server.Peer, cmd string, args []string) {
	var reply bytes.Buffer
	inner := server.NewPeer(bufio.NewWriter(&reply)) // RESP2, so the hook lets it pass
	inner.Ctx = c.Ctx
	srv.Dispatch(inner, append([]string{cmd}, args...))
	inner.Flush()
	c.WriteRaw(asMap(reply.Bytes()))
}

// asMap turns an array of [key, value] pairs into a map of the same; other
// replies pass unchanged.
func asMap(reply []byte) string {
	n, body, ok := header(reply)
	switch {
	case !ok:
		return string(reply)
	case n < 0:
		return "_\r\n"
	}
	out := fmt.Appendf(nil, "%%%d\r\n", n)
	for range n {
		_, pair, ok := header(body)
		if !ok {
			return string(reply)
		}
		rest := skip(skip(pair))
		out = append(out, pair[:len(pair)-len(rest)]...)
		body = rest
	}
	return string(out)
}

// header reads an array header and gives what follows it.
func header(b []byte) (n int, rest []byte, ok bool) {
	line, rest, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok || len(line) < 2 || line[0] != '*' {
		return 0, nil, false
	}
	n, err := strconv.Atoi(string(line[1:]))
	return n, rest, err == nil
}

// skip passes over one RESP2 value, as miniredis writes them.
func skip(b []byte) []byte {
	if n, rest, ok := header(b); ok {
		for range n {
			rest = skip(rest)
		}
		return rest
	}
	line, rest, _ := bytes.Cut(b, []byte("\r\n"))
	if len(line) > 1 && line[0] == '$' {
		if n, err := strconv.Atoi(string(line[1:])); err == nil && n >= 0 && n+2 <= len(rest) {
			return rest[n+2:]
		}
	}
	return rest
}
