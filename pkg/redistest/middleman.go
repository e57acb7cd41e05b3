package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Middleman stands between a client and a server and reads what is asked: it answers
// some commands itself, as managed services and proxies do. What scripts call stays
// unseen; rename a command at the server for that.
type Middleman struct {
	listener net.Listener
	upstream string
	answer   func(command []string) string
	running  sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]struct{} // nil once closed
}

// NewMiddleman listens on a free loopback port. Answer gets each command, its name in
// upper case, and returns the reply as it goes out, without the final CRLF ("-ERR no");
// "" lets the server at upstream answer. Several connections may call it at once. It
// is closed when the test ends.
func NewMiddleman(t testing.TB, upstream string, answer func(command []string) string) *Middleman {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	m := &Middleman{listener: listener, upstream: upstream, answer: answer, open: map[net.Conn]struct{}{}}
	m.running.Go(m.accept)
	t.Cleanup(m.close)
	return m
}

// URL is where it listens, as a redis:// URL.
func (m *Middleman) URL() string { return "redis://" + m.Addr() }

// Addr is its host:port.
func (m *Middleman) Addr() string { return m.listener.Addr().String() }

func (m *Middleman) close() {
	_ = m.listener.Close()
	m.mu.Lock()
	for conn := range m.open {
		_ = conn.Close()
	}
	m.open = nil
	m.mu.Unlock()
	m.running.Wait()
}

func (m *Middleman) accept() {
	for {
		client, err := m.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", m.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !m.keep(client, server) {
			return
		}
		m.running.Go(func() {
			defer m.drop(client, server)
			_ = m.serve(client, server) // it ends with either connection
		})
	}
}

func (m *Middleman) keep(conns ...net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, conn := range conns {
		if m.open == nil {
			_ = conn.Close()
			continue
		}
		m.open[conn] = struct{}{}
	}
	return m.open != nil
}

func (m *Middleman) drop(conns ...net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
		delete(m.open, conn)
	}
}

// serve answers one command after the other, so that replies keep their order.
func (m *Middleman) serve(client, server net.Conn) error {
	asked, told := bufio.NewReader(client), bufio.NewReader(server)
	for {
		var raw bytes.Buffer
		words, err := readReply(asked, &raw)
		if err != nil {
			return err
		}
		words[0] = strings.ToUpper(words[0])
		if reply := m.answer(words); reply != "" {
			if _, err := io.WriteString(client, reply+"\r\n"); err != nil {
				return err
			}
			continue
		}
		if _, err := server.Write(raw.Bytes()); err != nil {
			return err
		}
		raw.Reset()
		if _, err := readReply(told, &raw); err != nil {
			return err
		}
		if _, err := client.Write(raw.Bytes()); err != nil {
			return err
		}
	}
}

// readReply copies one RESP2 value to raw and gives the texts in it.
func readReply(from *bufio.Reader, raw *bytes.Buffer) (texts []string, err error) {
	for left := 1; left > 0; left-- {
		line, err := from.ReadString('\n')
		if err != nil {
			return nil, err
		}
		raw.WriteString(line)
		n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
		switch {
		case line[0] == '*':
			left += max(n, 0)
		case line[0] == '$' && n >= 0:
			body := make([]byte, n+2)
			if _, err := io.ReadFull(from, body); err != nil {
				return nil, err
			}
			raw.Write(body)
			texts = append(texts, string(body[:n]))
		}
	}
	if len(texts) == 0 {
		texts = []string{fmt.Sprintf("%.20q", raw.String())}
	}
	return texts, nil
}
