package bench

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relay"
)

// trickle is a relay that sends one message at a time, as events happen, and
// notes when each was handed to the socket.
func trickle(tb testing.TB, frames [][]byte, rate, count int) (url string, sent []time.Time) {
	tb.Helper()
	plain := startBlast(tb, frames, 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	sent = make([]time.Time, count)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			base64.StdEncoding.EncodeToString(sum[:]))
		began := time.Now()
		for i := range count {
			time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
			m := plain.messages[i%len(plain.messages)]
			binary.BigEndian.PutUint64(m[plain.seqAt[i%len(plain.messages)]:], uint64(firstSeq+i))
			sent[i] = time.Now()
			if _, err := conn.Write(m); err != nil {
				return
			}
		}
		_, _ = in.ReadByte()
	}()
	tb.Cleanup(func() { listener.Close(); <-done })
	return "ws://" + listener.Addr().String(), sent
}

// stored notes when each batch was acknowledged.
type stored struct {
	both
	sent []time.Time
	took []time.Duration
}

func (s *stored) Stored(b *event.Batch, r event.Receipt) {
	now := time.Now()
	for i := range b.Entries {
		s.took = append(s.took, now.Sub(s.sent[b.Entries[i].Seq-firstSeq]))
	}
	s.both.Stored(b, r)
}

func newBoth(b *testing.B, redisURL, relayURL string) both {
	b.Helper()
	keys, err := dashboard.New(dashboard.Config{Connection: conn.Connection{URL: redisURL}, RelayURL: relayURL})
	if err != nil {
		b.Fatal(err)
	}
	return both{health.New(health.Config{}), keys}
}

// BenchmarkLatency is the time from the relay's write to Redis' answer at 2,000
// events a second, for two seconds per iteration: the default batch age, and 1 ms.
func BenchmarkLatency(b *testing.B) {
	redistest.RequireReal(b)
	server := redistest.Start(b)
	frames := simulated(b, 300)
	for name, age := range map[string]time.Duration{"batch-age-40ms": 40 * time.Millisecond, "batch-age-1ms": time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			used, began := processTime(), time.Now()
			for b.Loop() {
				server.Do("flushall")
				took = append(took, latencies(b, server, frames, age)...)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "median-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
			b.ReportMetric(100*(processTime()-used).Seconds()/time.Since(began).Seconds(), "%cpu-with-relay")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func latencies(b *testing.B, server *redistest.Server, frames [][]byte, age time.Duration) []time.Duration {
	b.Helper()
	const rate, count = 2000, 4000
	url, sent := trickle(b, frames, rate, count)
	endpoint, err := relay.ParseURL(url, false)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	sink, err := redisstream.Open(ctx, redisstream.Config{
		Connection: conn.Connection{URL: server.URL()}, StreamKey: "fhctl:events", CursorKey: "fhctl:cursor",
		Identity: redisstream.Identity{Relay: "bench"},
		From:     redisstream.From{Requested: true, At: event.Position{Start: event.Oldest}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	heard, done := &stored{both: newBoth(b, server.URL(), url), sent: sent}, make(chan error, 1)
	serving, stop := context.WithCancel(ctx)
	go func() { done <- heard.keys.Run(serving) }()
	defer func() { stop(); <-done }()
	all, err := filter.New(filter.Config{})
	if err != nil {
		b.Fatal(err)
	}
	err = pipeline.New(pipeline.Config{
		Source: relay.New(relay.Config{Endpoint: endpoint, Linger: age, Notify: heard.Link, Alarm: heard.Alarm}),
		Sink:   sink, Observer: heard, Filter: all, BatchAge: age, UntilSeq: event.Seq(firstSeq + count - 1),
	}).Run(ctx)
	if err != nil || len(heard.took) != count {
		b.Fatalf("%d of %d stored: %v", len(heard.took), count, err)
	}
	return heard.took
}
