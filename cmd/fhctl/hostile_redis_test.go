package main

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// hostileRedis answers with start and then what follows, over and over. Commands
// in sound are answered as a Redis without HELLO would.
func hostileRedis(t *testing.T, sound, start, follows string) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					name, err := commandName(in)
					switch {
					case err != nil:
						return
					case !strings.Contains(sound, name):
						_, err = io.WriteString(conn, start)
						for sent := 0; err == nil && follows != "" && sent < 256<<20; sent += len(follows) {
							_, err = io.WriteString(conn, follows)
						}
					case name == "PING":
						_, err = io.WriteString(conn, "+PONG\r\n")
					default:
						_, err = io.WriteString(conn, "-ERR unknown command\r\n")
					}
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return "redis://" + listener.Addr().String()
}

// commandName reads one command and gives its first word.
func commandName(in *bufio.Reader) (name string, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	for i := range n {
		if line, err = in.ReadString('\n'); err != nil {
			return "", err
		}
		size, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
		word := make([]byte, size+2)
		if _, err = io.ReadFull(in, word); err != nil {
			return "", err
		}
		if i == 0 {
			name = strings.ToUpper(string(word[:size]))
		}
	}
	return name, nil
}

// G5: whatever the Redis peer answers, a command takes a bounded part of it and
// says that the peer is at fault: exit code 4, with a hint.
func TestEveryCommandBoundsItsRedis(t *testing.T) {
	needsProc(t)
	t.Parallel()
	dir := t.TempDir()
	capture := filepath.Join(dir, "run.fhz")
	if out, code, _ := runBounded(t, []string{"RELAY_URL=sim://?rate=0&count=20"}, "record", capture); code != 0 {
		t.Fatalf("record: exit %d: %s", code, lastOf(out))
	}
	block := strings.Repeat("x", 1<<16)
	for name, url := range map[string]string{
		"map at HELLO":        hostileRedis(t, "", "%6000000\r\n", ""),
		"array, later":        hostileRedis(t, "HELLO CLIENT PING", "*30000000\r\n", ""),
		"string that comes":   hostileRedis(t, "HELLO CLIENT PING", "$600000000\r\n", block),
		"error without end":   hostileRedis(t, "HELLO CLIENT PING", "-ERR ", block),
		"strings in an array": hostileRedis(t, "HELLO CLIENT PING", "*1000000\r\n", "$65536\r\n"+block+"\r\n"),
		"arrays in arrays":    hostileRedis(t, "HELLO CLIENT PING", "", strings.Repeat("*1\r\n", 1000)),
	} {
		for _, args := range [][]string{
			{"cursor", "get"}, {"stream", "stats"}, {"tail", "--limit=1"}, {"verify", "-o=json"}, {"replay", "stream", "--limit=1"},
			{"replay", capture, url, "--to-stream=copy"},
		} {
			t.Run(name+"/"+strings.Join(args[:2], " "), func(t *testing.T) {
				out, code, peak := runBounded(t, []string{"REDIS_URL=" + url}, args...)
				if code != 4 || peak > swollen || !strings.Contains(out, "hint: ") {
					t.Errorf("exit %d, %d KiB: %s", code, peak, lastOf(out))
				}
			})
		}
		t.Run(name+"/ingest", func(t *testing.T) {
			t.Parallel()
			out, code, peak := runBounded(t, []string{"REDIS_URL=" + url, "RELAY_URL=sim://?rate=0&count=20"}, "ingest", "--health-addr=127.0.0.1:0", "--timeout=1s")
			if code != 124 || peak > swollen || !strings.Contains(out, `"cause":"protocol"`) {
				t.Errorf("exit %d, %d KiB: %s", code, peak, lastOf(out))
			}
		})
	}
}
