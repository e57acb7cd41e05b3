package embedded

import (
	"bufio"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What a client declares is not allocated before it has come, and nothing grows
// without end; other clients do not notice.
func TestHostileClientIsBounded(t *testing.T) {
	s, other := start(t)
	endless := func(start, text string) string { return start + strings.Repeat(text, (4<<20)/len(text)) }
	for name, sent := range map[string]string{
		"declared string": "*1\r\n$999999999\r\n",
		"key":             "*3\r\n$3\r\nSET\r\n$999999999\r\n",
		"declared array":  "*30000000\r\n",
		"array in array":  endless("", "*2\r\n"),
		"endless line":    endless("*1\r\n+", "x"),
		"endless length":  endless("$0", "0"),
		"inline":          endless("GET ", "x"),
		"map":             "%30000000\r\n",
		"negative":        "*1\r\n$-5\r\n",
		"TLS":             "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			conn, err := net.Dial("tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			go func() { _, _ = io.WriteString(conn, sent) }()
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err == nil && !strings.HasPrefix(line, "-ERR Protocol error") {
				t.Errorf("answers %q", line)
			} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Error("the connection stays open")
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 96<<20 {
				t.Errorf("%d MiB were allocated", took>>20)
			}
			if err := other.Ping(t.Context()).Err(); err != nil {
				t.Error(err)
			}
		})
	}
	large := strings.Repeat("x", 8<<20)
	if err := other.Set(t.Context(), "k", large, 0).Err(); err != nil || other.Get(t.Context(), "k").Val() != large {
		t.Errorf("a large value: %v", err)
	}
}
