package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// hanging is a command and how it ends when somebody stops it while the other side
// hangs.
type hanging struct {
	interrupted int      // its exit code after SIGINT
	midway      string   // the Redis command that is not answered, when the first ones are
	args        []string // FILE is a capture, NEW a file that is not there yet
}

// onRedis are the commands that open Redis.
var onRedis = []hanging{
	{130, "GET", []string{"cursor", "get"}},
	{130, "GET", []string{"cursor", "get", "-o", "json"}},
	{130, "GET", []string{"cursor", "get", "--partitions", "2"}},
	{130, "XREVRANGE", []string{"cursor", "history"}},
	{130, "GET", []string{"cursor", "set", "5", "--dry-run"}},
	{130, "EVALSHA", []string{"cursor", "set", "5", "--yes", "--force"}},
	{130, "XREVRANGE", []string{"cursor", "set", "10m", "--dry-run"}},
	{130, "XREVRANGE", []string{"cursor", "set", "--undo", "--yes"}},
	{130, "GET", []string{"cursor", "set", "--from-key", "other", "--yes"}},
	{130, "GET", []string{"cursor", "set", "--partitions", "2", "--from-partitions", "1", "--yes"}},
	{130, "XINFO", []string{"stream", "stats"}},
	{130, "XLEN", []string{"stream", "stats", "--watch", "1s"}},
	{130, "XRANGE", []string{"tail"}},
	{130, "XREVRANGE", []string{"tail", "-n", "5"}},
	{0, "XREAD", []string{"tail", "-f"}},
	{130, "XREAD", []string{"tail", "--expect", "1"}},
	{130, "XRANGE", []string{"verify"}},
	{130, "XRANGE", []string{"verify", "--against", "other"}},
	{130, "XRANGE", []string{"replay", "stream"}},
	{130, "EVALSHA", []string{"replay", "FILE", "stream", "--to-stream", "copy"}},
	{130, "INFO", []string{"doctor"}},
	{130, "EVALSHA", []string{"bench", "ingest", "--events", "10", "--frames", "10", "--into", "URL"}},
	{0, "EVALSHA", []string{"ingest"}},
}

// onRelay are the commands that read a relay.
var onRelay = []hanging{
	{interrupted: 0, args: []string{"tail", "--source", "relay"}},
	{interrupted: 130, args: []string{"tail", "--source", "relay", "--since", "oldest", "-e"}},
	{interrupted: 130, args: []string{"tail", "--source", "relay", "--expect", "1"}},
	{interrupted: 0, args: []string{"record", "NEW"}},
	{interrupted: 130, args: []string{"replay", "relay"}},
	{interrupted: 130, args: []string{"replay", "relay", "stream", "--to-stream", "copy"}},
	{interrupted: 0, args: []string{"replay", "relay", "--serve", "127.0.0.1:0"}},
	{interrupted: 130, args: []string{"doctor", "--wait", "1h"}},
	{interrupted: 0, args: []string{"ingest"}},
}

// stops runs the command twice while what it asked for is not answered: with a
// SIGINT as soon as it waits, and with --timeout. asked hears of each wait.
func (h hanging) stops(t *testing.T, env []string, asked <-chan struct{}) {
	t.Helper()
	args := func() []string {
		given := slices.Clone(h.args)
		for i := range given {
			given[i] = strings.Replace(given[i], "NEW", filepath.Join(t.TempDir(), "new.fhz"), 1)
		}
		return given
	}
	p := start(t, env, args()...)
	select {
	case <-asked:
	case <-p.done:
		t.Fatalf("%v ended by itself:\n%s", h.args, p.output())
	case <-time.After(unhurried):
		t.Fatalf("%v does not ask:\n%s", h.args, p.output())
	}
	p.signal(os.Interrupt)
	p.mustExit(h.interrupted, time.Minute)
	p = start(t, env, append(args(), "--timeout", "200ms")...)
	p.mustExit(124, time.Minute)
	if said := p.output(); strings.Contains(said, "is Redis running") || strings.Count(said, "fhctl: ") != 1 {
		t.Errorf("%v says\n%s", h.args, said)
	}
}

// G6: a stop or a time limit is what ended a command, whatever hangs meanwhile, and
// no Redis that is away. That a stop does not wait for the time limits of sockets is
// proved by TestNothingWaitsBehindItsContext in pkg/redisstream.
func TestStopsWhileRedisHangs(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	server := redistest.Start(t)
	filled := []string{"RELAY_URL=sim://?rate=0&count=20", "REDIS_URL=" + server.URL(), "FHCTL_HEALTH_ADDR=off"}
	start(t, filled, "ingest", "--from=oldest", "--timeout=1m", "--until-seq=7000000010").mustExit(0, time.Minute)
	file := filepath.Join(t.TempDir(), "run.fhz")
	start(t, filled, "record", file, "--limit", "5").mustExit(0, time.Minute)
	for _, h := range onRedis {
		for _, silent := range []string{"", h.midway} {
			name := strings.Join(h.args, " ")
			if silent != "" {
				name += " at " + silent
			}
			h := h
			h.args = slices.Clone(h.args)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				asked, over := make(chan struct{}, 100), make(chan struct{})
				hung := redistest.NewMiddleman(t, server.Addr(), func(command []string) string {
					if silent != "" && command[0] != silent {
						return ""
					}
					select {
					case asked <- struct{}{}:
					default:
					}
					<-over
					return "-ERR too late"
				})
				t.Cleanup(func() { close(over) })
				for i := range h.args {
					h.args[i] = strings.NewReplacer("FILE", file, "URL", hung.URL()).Replace(h.args[i])
				}
				h.stops(t, []string{filled[0], "REDIS_URL=" + hung.URL(), "FHCTL_HEALTH_ADDR=off"}, asked)
			})
		}
	}
}

// Likewise for a relay that takes the connection and says nothing, before the
// handshake or after.
func TestStopsWhileTheRelayHangs(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	server := redistest.Start(t)
	for _, h := range onRelay {
		for _, upgraded := range []bool{false, true} {
			name := strings.Join(h.args, " ")
			if upgraded {
				name += " after the handshake"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				asked := make(chan struct{}, 100)
				url := "ws://" + mutePeer(t, asked)
				if upgraded {
					url = silentRelay(t, asked)
				}
				h.stops(t, []string{"RELAY_URL=" + url, "REDIS_URL=" + server.URL(), "FHCTL_HEALTH_ADDR=off", "REDIS_STREAM_KEY=" + strings.ReplaceAll(t.Name(), "/", ":")}, asked)
			})
		}
	}
}

// mutePeer takes connections, reads what is sent and never answers.
func mutePeer(t *testing.T, asked chan<- struct{}) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() { listener.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				for buffer := make([]byte, 4<<10); err == nil; {
					if _, err = conn.Read(buffer); err == nil {
						select {
						case asked <- struct{}{}:
						default:
						}
					}
				}
			})
		}
	})
	return listener.Addr().String()
}

// silentRelay is a relay with one event that it never sends.
func silentRelay(t *testing.T, asked chan<- struct{}) (url string) {
	t.Helper()
	server, err := relayserver.Start(relayserver.Config{Log: silentLog(asked)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server.URL()
}

type silentLog chan<- struct{}

func (silentLog) Bounds() (oldest, newest event.Seq) { return 1, 1 }

func (l silentLog) Next(ctx context.Context, _ event.Seq) (event.Seq, []byte, error) {
	select {
	case l <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return 0, nil, ctx.Err()
}
