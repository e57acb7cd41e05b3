package redisstream

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/resp"
)

// hostile stands before a sound server and answers some commands itself.
type hostile struct {
	addr    string
	backend string
	// answer gives what is sent in place of the server's reply; nil passes the
	// command on.
	answer atomic.Pointer[func(command []string) io.Reader]
	asked  atomic.Int64 // how often it answered itself
}

func startHostile(t testing.TB, backend string) *hostile {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	storetest.Must(t, err)
	h := &hostile{addr: listener.Addr().String(), backend: backend}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { _ = conn.Close() })
			all.Go(func() { defer stop(); defer conn.Close(); h.serve(conn) })
		}
	})
	return h
}

// behave sets how commands of a name are answered; "" answers every command.
func (h *hostile) behave(name string, reply func() io.Reader) {
	if reply == nil {
		h.answer.Store(nil)
		return
	}
	answer := func(command []string) io.Reader {
		if name == "" || strings.HasPrefix(strings.ToUpper(strings.Join(command, " ")), name) {
			return reply()
		}
		return nil
	}
	h.answer.Store(&answer)
}

func (h *hostile) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	var server net.Conn
	var back *bufio.Reader
	for {
		raw, command, err := readCommand(in)
		if err != nil {
			return
		}
		if answer := h.answer.Load(); answer != nil {
			if reply := (*answer)(command); reply != nil {
				h.asked.Add(1)
				if _, err := io.Copy(conn, reply); err != nil {
					return
				}
				continue
			}
		}
		if server == nil {
			if server, err = net.Dial("tcp", h.backend); err != nil {
				return
			}
			defer server.Close()
			back = bufio.NewReader(server)
		}
		if _, err := server.Write(raw); err != nil {
			return
		}
		reply, err := takeReply(back)
		if err != nil {
			return
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}

// readCommand reads one command as clients send it.
func readCommand(in *bufio.Reader) (raw []byte, command []string, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, nil, err
	}
	raw = append(raw, line...)
	n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if err != nil {
		return nil, nil, err
	}
	for range n {
		if line, err = in.ReadString('\n'); err != nil {
			return nil, nil, err
		}
		size, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
		word := make([]byte, size+2)
		if _, err = io.ReadFull(in, word); err != nil {
			return nil, nil, err
		}
		raw = append(append(raw, line...), word...)
		command = append(command, string(word[:size]))
	}
	return raw, command, nil
}

func takeReply(in *bufio.Reader) (raw []byte, err error) {
	f := resp.Follower{Limit: 1 << 40}
	for f.Messages == 0 {
		c, err := in.ReadByte()
		if err != nil {
			return nil, err
		}
		if _, err := f.Follow([]byte{c}); err != nil {
			return nil, err
		}
		raw = append(raw, c)
	}
	return raw, nil
}

// endless repeats a text for ever, behind a beginning.
type endless struct{ text, next string }

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], e.next)
		n += k
		if e.next = e.next[k:]; e.next == "" {
			e.next = e.text
		}
	}
	return n, nil
}

func sends(text string) func() io.Reader {
	return func() io.Reader { return strings.NewReader(text) }
}

func goesOn(start, text string) func() io.Reader {
	return func() io.Reader { return &endless{text: text, next: start} }
}

// attacks are replies that take memory, a stack or for ever. What they declare is
// far above every bound, and no more than a machine has: a bound that is missing
// must fail the test, not the machine.
func attacks() map[string]func() io.Reader {
	return map[string]func() io.Reader{
		"map":                 sends("%6000000\r\n"),
		"array":               sends("*30000000\r\n"),
		"string":              sends("$999999999999999\r\n"), // more than make can be asked for
		"string of 600 MB":    sends("$600000000\r\n"),
		"verbatim string":     sends("=600000000\r\n"),
		"error string":        sends("!600000000\r\n"),
		"push":                sends(">30000000\r\n"),
		"set":                 sends("~30000000\r\n"),
		"attribute":           sends("|900000000\r\n"),
		"streamed string":     goesOn("$?\r\n", ";4\r\nabcd\r\n"),
		"streamed array":      goesOn("*?\r\n", ":1\r\n"),
		"endless error":       goesOn("-ERR ", "x"),
		"endless status":      goesOn("+", "x"),
		"endless number":      goesOn("(1", "0"),
		"endless length":      goesOn("$0", "0"),
		"endless nesting":     goesOn("", "*1\r\n"),
		"endless attributes":  goesOn("", "|0\r\n"),
		"wide nesting":        goesOn("", "*20000\r\n"),
		"maps in maps":        goesOn("", "%20000\r\n+k\r\n"),
		"endless string":      goesOn("$600000000\r\n", "xxxxxxxxxxxxxxxx"),
		"strings in an array": goesOn("*4000\r\n", "$65536\r\n"+strings.Repeat("x", 65536)+"\r\n"),
	}
}

// heapBound is what an attack may allocate, all tries together.
const heapBound = 200 << 20

// bounded runs do and checks that it allocated within a bound.
func bounded(t *testing.T, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > heapBound {
		t.Errorf("%d MiB were allocated", took>>20)
	}
}

func startEmbedded(t testing.TB) *embedded.Server {
	t.Helper()
	server, err := embedded.Start("127.0.0.1:0")
	storetest.Must(t, err)
	t.Cleanup(server.Close)
	return server
}

// phases are commands at which a peer can turn hostile, and how a Reader comes
// to send them.
var phases = map[string]func(ctx context.Context, r *reader.Reader) error{
	"HELLO":  nil,
	"CLIENT": nil,
	"PING":   nil,
	"SELECT": nil,
	"XRANGE": func(ctx context.Context, r *reader.Reader) error {
		_, err := r.Last(ctx, 0)
		return errors.Join(err, last(r.Range(ctx, "", "")))
	},
	"XREVRANGE":    func(ctx context.Context, r *reader.Reader) error { _, err := r.Last(ctx, 5); return err },
	"XINFO GROUPS": func(ctx context.Context, r *reader.Reader) error { _, err := r.Groups(ctx); return err },
	"XINFO STREAM": func(ctx context.Context, r *reader.Reader) error { _, err := r.EntriesAdded(ctx); return err },
	"XLEN":         func(ctx context.Context, r *reader.Reader) error { _, err := r.Bounds(ctx); return err },
	"GET":          func(ctx context.Context, r *reader.Reader) error { _, err := r.Cursor(ctx); return err },
	"INFO":         func(ctx context.Context, r *reader.Reader) error { _, err := r.Vitals(ctx); return err },
	"TIME":         func(ctx context.Context, r *reader.Reader) error { _, _, err := r.Now(ctx); return err },
	"MEMORY":       func(ctx context.Context, r *reader.Reader) error { _, _, err := r.MemoryUsage(ctx); return err },
	"SCAN":         func(ctx context.Context, r *reader.Reader) error { _, err := r.Streams(ctx); return err },
}

func last[T any](seq func(func(T, error) bool)) (err error) {
	seq(func(_ T, e error) bool { err = e; return e == nil })
	return err
}

// A Reader takes little memory whatever the peer answers to whatever it asks, and
// says that it is the peer: unreachable, with a hint.
func TestHostilePeerOfAReader(t *testing.T) {
	server := startEmbedded(t)
	h := startHostile(t, server.Addr())
	open := func() (*reader.Reader, error) {
		return reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: "redis://" + h.addr + "/1", CommandTimeout: 5 * time.Second}})
	}
	for attack, reply := range attacks() {
		for command, ask := range phases {
			t.Run(command+"/"+attack, func(t *testing.T) {
				h.behave("", nil)
				bounded(t, func() {
					var r *reader.Reader
					var err error
					if ask != nil {
						r, err = open()
						storetest.Must(t, err)
					}
					h.behave(command, reply)
					if ask == nil {
						r, err = open()
					} else {
						err = ask(t.Context(), r)
					}
					if r != nil {
						_ = r.Close()
					}
					storetest.WantErr(t, err, fault.Unreachable)
					if hint := fault.HintOf(err); !strings.Contains(hint, "look at what") {
						t.Errorf("%v: hint %q", err, hint)
					}
				})
			})
		}
	}
}

// A Writer waits for such a peer as for a Redis that is away, says why, and goes
// on exactly when it is sound again.
func TestHostilePeerOfAWriter(t *testing.T) {
	server := startEmbedded(t)
	h := startHostile(t, server.Addr())
	for attack, reply := range attacks() {
		commands := []string{"EVALSHA", ""}
		if attack == "map" || attack == "endless error" {
			commands = []string{"HELLO", "CLIENT", "XLEN", "INFO", "EVALSHA", "XINFO", ""}
		}
		for _, command := range commands {
			t.Run(cmp.Or(command, "all")+"/"+attack, func(t *testing.T) {
				bounded(t, func() { writeThrough(t, h, command, reply) })
			})
		}
	}
}

// writeThrough opens a Writer while the peer is hostile to one command, and lets
// it be sound after a while.
func writeThrough(t *testing.T, h *hostile, command string, reply func() io.Reader) {
	var mu sync.Mutex
	causes := map[string]bool{}
	cfg := Config{
		Connection: conn.Connection{URL: "redis://" + h.addr, CommandTimeout: 2 * time.Second, Jitter: func() float64 { return 0 }},
		StreamKey:  t.Name(), CursorKey: t.Name() + ":cursor", Identity: Identity{Relay: storetest.Relay},
		Notify: func(s event.Store) {
			mu.Lock()
			defer mu.Unlock()
			if !s.Up {
				causes[s.Cause] = true
			}
		},
	}
	began := h.asked.Load()
	h.behave(command, reply)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for h.asked.Load() < began+2 {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
		h.behave("", nil)
	}()
	w, err := Open(t.Context(), cfg)
	storetest.Must(t, err)
	defer w.Close()
	_, err = w.Resume(t.Context())
	storetest.Must(t, err)
	receipts, err := w.Commit(t.Context(), []*event.Batch{storetest.Batch(storetest.Live, 1, 2)})
	storetest.Must(t, err)
	if len(receipts) != 1 || receipts[0].Cursor != 2 || receipts[0].Appended+receipts[0].Present != 2 {
		t.Errorf("receipts %+v", receipts)
	}
	if n, err := w.Length(t.Context()); err != nil || n != 2 {
		t.Errorf("%d entries (%v)", n, err)
	}
	h.behave("", nil)
	mu.Lock()
	defer mu.Unlock()
	if command != "XINFO" && (!causes["protocol"] || len(causes) != 1) {
		t.Errorf("causes are %v, want protocol", causes)
	}
}

// Whatever a peer answers, nothing panics and nothing waits for ever.
func FuzzHostilePeer(f *testing.F) {
	for _, seed := range []string{
		"*0\r\n", "*1\r\n*0\r\n", "*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n$1\r\na\r\n", "*-1\r\n", "$-1\r\n", "%1\r\n*0\r\n:1\r\n", "+OK\r\n", "-NOPERM x\r\n", "-MOVED 1 :0\r\n",
		"*2\r\n:1\r\n:2\r\n", "*1\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n", "*7\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n:1\r\n:0\r\n:1\r\n$0\r\n\r\n", ">2\r\n+a\r\n+b\r\n", "|1\r\n+a\r\n+b\r\n:1\r\n", ":-1\r\n", "$4\r\n-1-1\r\n",
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, first, then string) {
		dial := func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				in := bufio.NewReader(theirs)
				for n := 0; ; n++ {
					_, command, err := readCommand(in)
					if err != nil {
						return
					}
					reply := []string{first, then}[n%2]
					if name := strings.ToUpper(command[0]); name == "HELLO" || name == "CLIENT" || name == "PING" {
						reply = "-ERR unknown command\r\n"
						if name == "PING" {
							reply = "+PONG\r\n"
						}
					}
					if _, err := io.WriteString(theirs, reply); err != nil {
						return
					}
				}
			}()
			return ours, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := reader.Open(ctx, reader.Config{Connection: conn.Connection{URL: "redis://h", Dialer: dial, CommandTimeout: 5 * time.Millisecond}})
		if err != nil {
			t.Skip(err)
		}
		defer r.Close()
		for name, ask := range phases {
			if ask != nil {
				if err := ask(ctx, r); err != nil && err.Error() == "" {
					t.Errorf("%s: an error without text", name)
				}
			}
		}
		_, _ = r.Redeliveries(ctx, "g")
		_, _ = r.DeadLetters(ctx)
		_, _, _ = r.SeekSeq(ctx, 5)
		_ = r.MayWrite(ctx)
	})
}
