package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relay"
)

const (
	firstSeq = 1 << 33 // eight bytes long, so that others fit in its place
	perRound = 100_000
)

// blast is a relay that costs next to nothing: it writes prepared messages, a
// megabyte at a time, with their seqs patched.
type blast struct {
	messages [][]byte
	seqAt    []int
	count    int
	listener net.Listener
}

func startBlast(tb testing.TB, frames [][]byte, count int) *blast {
	tb.Helper()
	s := &blast{count: count}
	for _, f := range frames {
		data, ok := frame.SetSeq(nil, f, firstSeq)
		at := bytes.Index(data, []byte("\x63seq\x1b"))
		if !ok || at < 0 || len(data) > 0xffff {
			continue
		}
		head := []byte{0x82, 126, 0, 0}
		binary.BigEndian.PutUint16(head[2:], uint16(len(data)))
		if len(data) < 126 {
			head = []byte{0x82, byte(len(data))}
		}
		s.messages = append(s.messages, append(head, data...))
		s.seqAt = append(s.seqAt, len(head)+at+5)
	}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.serve(conn)
		}
	}()
	tb.Cleanup(func() { s.listener.Close(); <-done })
	return s
}

func (s *blast) url() string { return "ws://" + s.listener.Addr().String() }

// serve plays once and waits for the client to go.
func (s *blast) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	buf := make([]byte, 0, 2<<20)
	for i := 0; i < s.count; {
		for buf = buf[:0]; i < s.count && len(buf) < 1<<20; i++ {
			m, at := i%len(s.messages), len(buf)
			buf = append(buf, s.messages[m]...)
			binary.BigEndian.PutUint64(buf[at+s.seqAt[m]:], uint64(firstSeq+i))
		}
		if _, err := conn.Write(buf); err != nil {
			return
		}
	}
	_, _ = in.ReadByte() // until the client closes
}

// bareScript appends entries and moves the cursor, and checks nothing.
var bareScript = redis.NewScript(`
for i = 2, #ARGV, 2 do
	redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'type', 'commit', 'data', ARGV[i], 'seq', ARGV[i+1])
end
redis.call('SET', KEYS[2], ARGV[#ARGV])`)

// bareBatch is 500 entries being made or stored.
type bareBatch struct {
	data []byte
	args []any
}

const bareSize = 500

// bareChain reads and makes entries on one goroutine and stores them on
// another, 500 at a time. Nothing is checked and nothing survives a fault.
func bareChain(ctx context.Context, url, redisURL string, count int, entry func(dst, frame []byte) []byte) error {
	dialer := websocket.Dialer{ReadBufferSize: 128 << 10}
	ws, _, err := dialer.DialContext(ctx, url, nil)
	if err != nil {
		return err
	}
	defer ws.Close()
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return err
	}
	options.WriteBufferSize = 64 << 10
	client := redis.NewClient(options)
	defer client.Close()
	full, empty := make(chan *bareBatch, 4), make(chan *bareBatch, 4)
	for range cap(empty) {
		empty <- new(bareBatch)
	}
	stored := make(chan error, 1)
	go func() {
		var failed error
		for batch := range full {
			err := bareScript.Run(ctx, client, []string{"bare:events", "bare:cursor"}, batch.args...).Err()
			if err != nil && err != redis.Nil && failed == nil {
				failed = err
			}
			empty <- batch
		}
		stored <- failed
	}()
	err = bareRead(ws, count, entry, full, empty)
	close(full)
	if failed := <-stored; err == nil {
		err = failed
	}
	return err
}

func bareRead(ws *websocket.Conn, count int, entry func(dst, frame []byte) []byte, full, empty chan *bareBatch) error {
	var f []byte
	batch := <-empty
	for i := range count {
		_, r, err := ws.NextReader()
		if err != nil {
			return err
		}
		if f, err = readInto(f[:0], r); err != nil {
			return err
		}
		if len(batch.args) == 0 {
			batch.args = append(batch.args, 500_000)
		}
		from := len(batch.data)
		batch.data = entry(batch.data, f)
		batch.args = append(batch.args, batch.data[from:len(batch.data):len(batch.data)], firstSeq+i)
		if len(batch.args) <= 2*bareSize && i < count-1 {
			continue
		}
		full <- batch
		batch = <-empty
		batch.args, batch.data = batch.args[:0], batch.data[:0]
	}
	return nil
}

func readInto(buf []byte, r io.Reader) ([]byte, error) {
	for {
		if cap(buf)-len(buf) < 512 {
			buf = slices.Grow(buf, max(8<<10, cap(buf)))
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// fhctlChain is what ingest composes, with metrics and dashboard keys.
func fhctlChain(ctx context.Context, url, redisURL string, count int) error {
	endpoint, err := relay.ParseURL(url, false)
	if err != nil {
		return err
	}
	connection := conn.Connection{URL: redisURL}
	sink, err := redisstream.Open(ctx, redisstream.Config{
		Connection: connection, StreamKey: "fhctl:events", CursorKey: "fhctl:cursor", MaxLen: 500_000,
		Identity: redisstream.Identity{Relay: "bench"},
		From:     redisstream.From{Requested: true, At: event.Position{Start: event.Oldest}},
	})
	if err != nil {
		return err
	}
	defer sink.Close()
	keys, err := dashboard.New(dashboard.Config{Connection: connection, RelayURL: url})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- keys.Run(serving) }()
	defer func() { stop(); <-done }()
	heard := both{health.New(health.Config{}), keys}
	all, err := filter.New(filter.Config{})
	if err != nil {
		return err
	}
	source := relay.New(relay.Config{Endpoint: endpoint, Linger: 40 * time.Millisecond, Notify: heard.Link, Alarm: heard.Alarm})
	return pipeline.New(pipeline.Config{
		Source: source, Sink: sink, Observer: heard, Filter: all, UntilSeq: event.Seq(firstSeq + count - 1),
	}).Run(ctx)
}

// both is the Observer of ingest without its log.
type both struct {
	*health.Monitor
	keys *dashboard.Dashboard
}

func (b both) Link(l event.Link) { b.Monitor.Link(l); b.keys.Link(l) }
func (b both) Stored(batch *event.Batch, r event.Receipt) {
	b.Monitor.Stored(batch, r)
	b.keys.Stored(batch, r)
}

// BenchmarkChain carries 100,000 events from a socket into Redis each way in
// turn, once per iteration, and reports events/s, the CPU of this process per
// event (relay included), and fhctl's ratio to each, all over the whole run.
func BenchmarkChain(b *testing.B) {
	redistest.RequireReal(b)
	server := redistest.Start(b)
	for name, frames := range corpora(b) {
		b.Run(name, func(b *testing.B) {
			source := startBlast(b, frames, perRound)
			var bare Bare
			indigo := func(dst, f []byte) []byte {
				entry, err := Indigo(f)
				if err != nil {
					b.Fatal(err)
				}
				return append(dst, entry...)
			}
			ways := map[string]func() error{
				"fhctl": func() error { return fhctlChain(b.Context(), source.url(), server.URL(), perRound) },
				"bare":  func() error { return bareChain(b.Context(), source.url(), server.URL(), perRound, bare.Append) },
				// A fiftieth will do, it is slow.
				"indigo": func() error { return bareChain(b.Context(), source.url(), server.URL(), perRound/50, indigo) },
			}
			events := map[string]int{"fhctl": perRound, "bare": perRound, "indigo": perRound / 50}
			wall, cpu := map[string]time.Duration{}, map[string]time.Duration{}
			rounds := 0
			for b.Loop() {
				rounds++
				for way, run := range ways {
					server.Do("flushall")
					began, used := time.Now(), processTime()
					if err := run(); err != nil {
						b.Fatalf("%s: %v", way, err)
					}
					wall[way] += time.Since(began)
					cpu[way] += processTime() - used
				}
			}
			report := func(way string) float64 {
				n := float64(rounds * events[way])
				b.ReportMetric(n/wall[way].Seconds(), way+"-events/s")
				b.ReportMetric(float64(cpu[way].Microseconds())/n, way+"-cpu-us/event")
				return n / wall[way].Seconds()
			}
			ours := report("fhctl")
			b.ReportMetric(ours/report("bare"), "of-bare")
			b.ReportMetric(ours/report("indigo"), "of-indigo")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func processTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
