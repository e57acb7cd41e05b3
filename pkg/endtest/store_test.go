package endtest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
)

const (
	streamKey  = keyspace.DefaultStream
	cursorKey  = keyspace.DefaultCursor
	sideKey    = cursorKey + ":meta"
	historyKey = cursorKey + ":history"
)

// store is a Redis: miniredis runs the commands and the real scripts, one at a
// time; what can go wrong with a server is played here.
type store struct {
	redis  *miniredis.Miniredis
	oracle *oracle
	counts *counts

	turn    sync.Mutex // one command at a time, as in Redis
	mu      sync.Mutex // guards what follows
	rng     *rand.Rand
	links   map[*link]struct{}
	serving sync.WaitGroup

	down     time.Time // no connection is accepted before this
	stalled  time.Time // no command runs before this, but none is lost either
	refusing time.Time // commands are refused with word before this
	word     string
	slow     time.Duration // longest time a command takes
	lose     int           // replies to lose after the command ran
	drop     int           // commands to lose before they run
	swell    int           // replies that leave all bounds, whether or not the command ran
	failXADD int           // appends to fail in the midst of a script
}

func newStore(seed uint64, o *oracle, c *counts) *store {
	s := &store{redis: miniredis.NewMiniRedis(), oracle: o, counts: c, rng: stream(seed, "store"), links: map[*link]struct{}{}, slow: 2 * time.Millisecond}
	if _, err := s.redis.Dial(); err != nil { // starts it without a listener
		panic(err)
	}
	s.redis.ClockTTL(true)
	s.redis.Server().SetPreHook(s.before)
	o.store = s
	return s
}

// before sees every command, those of scripts included.
func (s *store) before(c *server.Peer, cmd string, _ ...string) bool {
	if cmd != "XADD" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failXADD == 0 || s.rng.IntN(3) > 0 {
		return false
	}
	s.failXADD--
	s.counts.struck("append fails midway")
	c.WriteError("ERR The ID specified in XADD is equal or smaller than the target stream top item")
	return true
}

func (s *store) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// dial opens a connection, unless the server is down.
func (s *store) dial(context.Context) (*link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.down) {
		return nil, refusedDial
	}
	near, far := connect()
	s.links[far] = struct{}{}
	s.serving.Go(func() { s.serve(far) })
	return near, nil
}

// cutAll ends every connection.
func (s *store) cutAll() {
	s.change(func() {
		for l := range s.links {
			l.cut()
		}
	})
}

// close ends everything and waits for it.
func (s *store) close() {
	s.change(func() { s.down = time.Now().Add(time.Hour) })
	s.cutAll()
	s.serving.Wait()
	s.redis.Close()
}

// serve runs a connection's commands. What was read completely runs, also if
// the client is gone by then.
func (s *store) serve(l *link) {
	defer s.change(func() { delete(s.links, l); l.cut() })
	in := bufio.NewReader(l)
	var out bytes.Buffer
	peer := server.NewPeer(bufio.NewWriter(&out))
	for {
		args, err := readCommand(in)
		if err != nil {
			return
		}
		time.Sleep(s.takes())
		s.await()
		out.Reset()
		if !s.run(peer, args) {
			return
		}
		peer.Flush()
		if _, err := l.Write(out.Bytes()); err != nil {
			return
		}
	}
}

func (s *store) takes() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 20*time.Microsecond + time.Duration(s.rng.Int64N(int64(s.slow)))
}

// await waits while the server is stopped.
func (s *store) await() {
	for {
		s.mu.Lock()
		d := time.Until(s.stalled)
		s.mu.Unlock()
		if d <= 0 {
			return
		}
		time.Sleep(d)
	}
}

// run executes one command, or lets it suffer; false ends the connection.
func (s *store) run(peer *server.Peer, args []string) bool {
	s.turn.Lock()
	defer s.turn.Unlock()
	name := strings.ToUpper(args[0])
	var lose, drop, swell, ran bool
	var refuse string
	s.change(func() {
		switch {
		case s.swell > 0:
			s.swell--
			swell, ran = true, s.rng.IntN(2) == 0
		case s.drop > 0:
			s.drop--
			drop = true
		case time.Now().Before(s.refusing):
			refuse = s.word
		case s.lose > 0:
			s.lose--
			lose = true
		}
	})
	switch {
	case swell:
		if ran {
			s.execute(server.NewPeer(bufio.NewWriter(io.Discard)), name, args)
			s.oracle.check()
		}
		s.counts.struck("reply out of bounds")
		peer.WriteRaw("%30000000\r\n+key\r\n")
		return true
	case drop:
		s.counts.struck("command lost")
		return false
	case refuse != "" && (name == "EVALSHA" || name == "EVAL" || refuse == "LOADING" || refuse == "MASTERDOWN"):
		s.counts.struck("refused " + refuse)
		peer.WriteError(refuse + " injected")
		return true
	}
	s.execute(peer, name, args)
	s.oracle.check()
	if lose {
		s.counts.struck("reply lost")
	}
	return !lose
}

func (s *store) execute(peer *server.Peer, name string, args []string) {
	switch name {
	case "INFO":
		peer.WriteBulk("redis_version:7.0.0\r\nserver_name:fhctl-embedded\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n")
		return
	case "CLIENT":
		peer.WriteOK()
		return
	case "GET":
		if args[1] == cursorKey && !s.redis.Exists(cursorKey) && !s.redis.Exists(sideKey) {
			s.oracle.cold = true // whoever starts now knows of no cursor
		}
		if args[1] == sideKey && !s.redis.Exists(sideKey) {
			s.oracle.unaided = true // nor knows what it was asked before
		}
	case "EVALSHA":
		if loaded := s.scripts(args[1]); !loaded {
			s.counts.add("noscript")
		}
	}
	s.redis.Server().Dispatch(peer, args)
}

func (s *store) scripts(sha string) bool {
	var out bytes.Buffer
	peer := server.NewPeer(bufio.NewWriter(&out))
	s.redis.Server().Dispatch(peer, []string{"SCRIPT", "EXISTS", sha})
	peer.Flush()
	return strings.Contains(out.String(), ":1")
}

// do runs a command of the simulation's own.
func (s *store) do(args ...string) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.redis.Server().Dispatch(server.NewPeer(bufio.NewWriter(io.Discard)), args)
}

// putBack restores a spoilt key, unless a process has written it anew meanwhile:
// older words beside a cursor that has moved on are somebody's meddling, not a cure.
func (s *store) putBack(key, text string) {
	s.turn.Lock()
	defer s.turn.Unlock()
	now, err := s.redis.Get(key)
	_, seq := event.ParseSeq(now)
	if err == nil && (seq || key == sideKey && !strings.Contains(now, "other.example")) {
		return
	}
	s.redis.Del(key)
	_ = s.redis.Set(key, text)
}

// snapshot is all that a server remembers after a crash.
type snapshot struct {
	texts   map[string]string
	left    map[string]time.Duration
	streams map[string][]miniredis.StreamEntry
	oracle  memory
}

func (s *store) snapshot() snapshot {
	s.turn.Lock()
	defer s.turn.Unlock()
	snap := snapshot{map[string]string{}, map[string]time.Duration{}, map[string][]miniredis.StreamEntry{}, s.oracle.memory}
	for _, key := range s.redis.Keys() {
		switch s.redis.Type(key) {
		case "string":
			snap.texts[key], _ = s.redis.Get(key)
			snap.left[key] = s.redis.TTL(key)
		case "stream":
			entries, _ := s.redis.Stream(key)
			snap.streams[key] = append([]miniredis.StreamEntry(nil), entries...)
		}
	}
	return snap
}

// restart ends all connections and forgets the scripts; back, if given, is what
// the server comes back with.
func (s *store) restart(down time.Duration, back *snapshot) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.change(func() {
		s.down = time.Now().Add(down)
		s.refusing, s.word = s.down.Add(down/4), "LOADING"
		s.lose, s.drop = 0, 0
	})
	s.cutAll()
	s.redis.Server().Dispatch(server.NewPeer(bufio.NewWriter(io.Discard)), []string{"SCRIPT", "FLUSH"})
	if back == nil {
		return
	}
	s.redis.FlushAll()
	for key, text := range back.texts {
		_ = s.redis.Set(key, text)
		if back.left[key] > 0 {
			s.redis.SetTTL(key, back.left[key])
		}
	}
	for key, entries := range back.streams {
		for _, e := range entries {
			if _, err := s.redis.XAdd(key, e.ID, e.Values); err != nil {
				panic(err)
			}
		}
	}
	s.oracle.rolledBack(back.oracle)
}

// readCommand reads one array of bulk strings.
func readCommand(in *bufio.Reader) ([]string, error) {
	n, err := readNumber(in, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := readNumber(in, '$')
		if err != nil {
			return nil, err
		}
		data := make([]byte, size+2)
		if _, err := io.ReadFull(in, data); err != nil {
			return nil, err
		}
		args[i] = string(data[:size])
	}
	return args, nil
}

func readNumber(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil || len(line) < 3 || line[0] != kind {
		return 0, io.ErrUnexpectedEOF
	}
	return strconv.Atoi(line[1 : len(line)-2])
}
