package endtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// stream is a source of chance for one part of a seed's world. Parts draw for
// themselves, so that one does not disturb another.
func stream(seed uint64, part string) *rand.Rand {
	var n uint64
	for _, c := range []byte(part) {
		n = n*131 + uint64(c)
	}
	return rand.New(rand.NewPCG(seed, n))
}

// counts is what happened: faults as they struck, and what the program said.
type counts struct {
	mu    sync.Mutex
	n     map[string]int
	began time.Time
	told  []string // what happened, for a seed that fails: the first toldFirst lines and the last ones
}

// toldFirst is enough for all that happens before the calm at the end, in which a seed
// that fails may say the same for hours.
const toldFirst, toldMost = 800, 1000

// tell keeps a line of what happens.
func (c *counts) tell(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.told) == toldMost {
		c.told = slices.Delete(c.told, toldFirst, toldFirst+(toldMost-toldFirst)/2)
	}
	c.told = append(c.told, fmt.Sprintf("%12.6f ", time.Since(c.began).Seconds())+fmt.Sprintf(format, args...))
}

// Write makes counts what a logger writes to.
func (c *counts) Write(line []byte) (int, error) {
	c.tell("log %s", bytes.TrimSpace(line))
	return len(line), nil
}

// logger keeps what is logged among what happened.
func (c *counts) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(c, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func (c *counts) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[name]++
}

func (c *counts) struck(fault string) {
	c.tell("fault: %s", fault)
	c.add("fault: " + fault)
}

// faults is how many struck.
func (c *counts) faults() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, times := range c.n {
		if strings.HasPrefix(name, "fault: ") {
			n += times
		}
	}
	return n
}

// counts is an Observer.

func (c *counts) Link(l event.Link) {
	if l.Cause != "" {
		c.tell("link %s from %s: %s %v, retry %s", l.State, l.From, l.Cause, l.Err, l.Retry)
		c.add("link " + l.Cause)
	}
}
func (c *counts) Store(s event.Store) {
	if !s.Up {
		c.tell("store %s: %v, retry %s", s.Cause, s.Err, s.Retry)
		c.add("store " + s.Cause)
	}
}
func (c *counts) Counted(n *event.Counts) {
	if n.Repeats > 0 {
		c.add("repeats")
	}
	if n.Events[event.KindUnknown] > 0 {
		c.add("unknown")
	}
	if n.Events[event.KindInfo] > 0 {
		c.add("info")
	}
	if n.Events[event.KindError] > 0 {
		c.add("error frame")
	}
}
func (c *counts) Rejected(r *event.Reject, _ []byte) {
	c.add("rejected " + r.Reason.String())
	if r.Seq > 0 {
		c.add("rejected seq " + r.Seq.String())
	}
}
func (c *counts) Stored(b *event.Batch, r event.Receipt) {
	c.tell("stored after %s up to %s: %d appended, %d present, cursor %s", b.After, b.Upto, r.Appended, r.Present, r.Cursor)
	if r.Present > 0 {
		c.add("present")
	}
}
func (c *counts) Role(r event.Role) {
	if !r.Leading {
		c.add("stands by")
	}
}
func (c *counts) Alarm(a event.Alarm, _ event.Seq, detail string) {
	c.tell("alarm %s: %s", a, detail)
	c.add("alarm " + a.String())
}

// world is one seed's relay, store and processes.
type world struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand // of whoever makes trouble
	counts *counts
	oracle *oracle
	store  *store
	corpus *corpus

	log   *relayserver.MemoryLog
	board *switchboard
	relay *relayserver.Server

	mu        sync.Mutex
	unwilling map[string]time.Time // how dialling the relay fails, and until when
	mendText  map[string]string    // keys that an operator must put back
	problem   string
	leaps     int // of the relay's true numbers
	lies      int // and false ones

	size      int // events
	filter    *filter.Filter
	bridge    bool // the cursor may be taken for the Python bridge's
	config    pipeline.Config
	trim      int64
	spill     string // above the spill directories; empty without
	processes []*process
	started   int
	striking  string // the kind of trouble under way
}

func newWorld(t *testing.T, seed uint64, c *corpus) *world {
	rng := stream(seed, "world")
	w := &world{
		t: t, seed: seed, rng: stream(seed, "trouble"), counts: &counts{n: map[string]int{}, began: time.Now()}, oracle: &oracle{},
		corpus: c, log: relayserver.NewMemoryLog(0), board: newSwitchboard(), unwilling: map[string]time.Time{}, mendText: map[string]string{},
	}
	w.store = newStore(seed, w.oracle, w.counts)
	w.size, w.bridge = 20+rng.IntN(40), rng.IntN(2) == 0
	w.config = pipeline.Config{
		Decoders: 1 + rng.IntN(3), BatchSize: 1 + rng.IntN(24), InFlight: 1 + rng.IntN(4), QueueBytes: 1 << (10 + rng.IntN(8)),
		BatchAge: time.Duration(1+rng.IntN(50)) * time.Millisecond,
	}
	if rng.IntN(4) == 0 {
		w.trim = int64(25 + rng.IntN(20)) // more than a batch: the oracle sees each entry
	}
	if stream(seed, "spill").IntN(4) == 0 {
		w.spill = t.TempDir()
		w.config.QueueBytes, w.config.InFlight, w.config.BatchSize = 1<<10, 1, min(w.config.BatchSize, 4) // little waits in memory
	}
	var err error
	if rng.IntN(3) == 0 {
		w.filter, err = filter.New(filter.Config{Kinds: []string{"commit", "account"}})
	} else {
		w.filter, err = filter.New(filter.Config{})
	}
	if err == nil {
		w.relay, err = relayserver.Start(relayserver.Config{
			Log: w.log, Listener: w.board, Inclusive: rng.IntN(2) == 0, FutureGoesLive: rng.IntN(2) == 0,
			Delay: pacing(stream(seed, "pace"), time.Duration(rng.IntN(20)+1)*time.Millisecond),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// pacing spreads frames, so that they come at instants of their own.
func pacing(rng *rand.Rand, most time.Duration) func(_, _ []byte) time.Duration {
	var mu sync.Mutex
	return func(_, _ []byte) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return 2*time.Millisecond + time.Duration(rng.Int64N(int64(most)))
	}
}

// produce lets the relay make its events, over a minute or two.
func (w *world) produce() {
	rng := stream(w.seed, "produce")
	seq := event.Seq(1 + rng.Int64N(1<<40))
	for range w.size {
		time.Sleep(time.Duration(rng.Int64N(int64(800 * time.Millisecond))))
		seq += event.Seq(1 + rng.Int64N(3)*rng.Int64N(3))
		if rng.IntN(80) == 0 && w.mayLeap() { // gaps are the relay's right (Q1): this one has to be confirmed
			seq += 1 << 31
			w.counts.struck("numbers leap")
		}
		raw, want := w.corpus.make(rng, seq, w.filter)
		w.oracle.made(seq, want)
		if err := w.log.Append(seq, raw); err != nil {
			panic(err)
		}
	}
}

// mayLeap reports whether the numbers may leap. They may more than once only where none
// of the relay's leaps is false, and not at all where several are: among wide gaps, and
// from what several connections show, nobody can tell a false one.
func (w *world) mayLeap() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leaps > 0 && w.lies > 0 || w.lies > 1 {
		return false
	}
	w.leaps++
	return true
}

// mayLie is the other way round: whether the relay may send a false leap.
func (w *world) mayLie() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leaps > 1 || w.leaps == 1 && w.lies > 0 {
		return false
	}
	w.lies++
	return true
}

// dialRelay reaches the relay as the faults of the moment allow.
func (w *world) dialRelay(ctx context.Context) (*link, error) {
	switch w.unwillingNow() {
	case "dns":
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "relay", IsNotFound: true}}
	case "refused":
		return nil, refusedDial
	case "hangs":
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	case "reset":
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNRESET}
	case "endless":
		near, far := connect()
		go answerEndlessly(far)
		return near, nil
	}
	return w.board.dial(ctx)
}

// answerEndlessly is a host whose answer to a handshake has no end.
func answerEndlessly(host *link) {
	defer host.Close()
	_, err := host.Read(make([]byte, 4<<10))
	for line := []byte("HTTP/1.1 101 "); err == nil; line = make([]byte, 32<<10) {
		_, err = host.Write(line)
	}
}

func (w *world) unwillingNow() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for how, until := range w.unwilling {
		if time.Now().Before(until) {
			w.counts.struck("dial " + how)
			return how
		}
	}
	return ""
}

// process is one fhctl ingest: what cmd/fhctl composes, without its terminal.
type process struct {
	w      *world
	number int
	wiring wiring
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	killed bool
	asked  bool        // to stop
	heard  atomic.Bool // of a batch that was stored
}

// observer is the world's, and notes what this process has heard.
type observer struct {
	*counts
	heard *atomic.Bool
}

func (o observer) Stored(b *event.Batch, r event.Receipt) {
	o.heard.Store(true)
	o.counts.Stored(b, r)
}

// unheard says that the process does not know yet whether anything it sent is
// stored.
func (p *process) unheard() bool { return !p.heard.Load() }

func (w *world) start() *process {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{w: w, number: w.started, cancel: cancel, done: make(chan struct{})}
	w.processes = append(w.processes, p)
	w.started++
	w.counts.tell("process %d starts", p.number)
	go func() {
		defer close(p.done)
		p.err = p.run(ctx)
		w.counts.tell("process %d ended: %v", p.number, p.err)
	}()
	return p
}

func (p *process) run(ctx context.Context) error {
	w := p.w
	rng, mu := stream(w.seed, fmt.Sprint("process", p.number)), sync.Mutex{}
	jitter := func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return rng.Float64()
	}
	identity := redisstream.Identity{Relay: "relay.example", Filter: w.filter.Fingerprint()}
	if w.bridge {
		identity.Relay = script.BridgeRelay
	}
	from, err := redisstream.ParseFrom("oldest")
	if err != nil {
		return err
	}
	sink, err := redisstream.Open(ctx, redisstream.Config{
		Connection: conn.Connection{URL: "redis://store:6379", Dialer: p.wiring.through(w.store.dial), Jitter: jitter, CommandTimeout: time.Second},
		Identity:   identity, From: from, MaxLen: w.trim, Notify: w.counts.Store, Alarm: w.counts.Alarm,
		Writer: fmt.Sprintf("sim-%d", p.number),
	})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // told to stop while waiting for Redis
	}
	if err != nil {
		return err
	}
	defer sink.Close()
	endpoint, err := relay.ParseURL("ws://127.0.0.1:2470", false)
	if err != nil {
		return err
	}
	cfg := w.config
	cfg.Sink, cfg.Observer, cfg.Filter = sink, observer{w.counts, &p.heard}, w.filter
	source := relay.New(relay.Config{
		Endpoint: endpoint, IdleTimeout: 8 * time.Second, DialTimeout: 4 * time.Second, BackoffMax: 6 * time.Second, MaxMessage: maxMessage, Linger: time.Millisecond,
		Notify: w.counts.Link, Alarm: w.counts.Alarm, Dial: p.wiring.through(w.dialRelay), Jitter: jitter,
	})
	cfg.Source = source
	if w.spill != "" {
		stage, err := w.openSpill(source)
		if err != nil {
			return err
		}
		defer stage.Close()
		cfg.Source, cfg.Observer = stage, spilling{cfg.Observer, stage}
	}
	return pipeline.New(cfg).Run(ctx)
}

const maxMessage = 64 << 10

// kill is SIGKILL: from this instant nothing the process does has any effect.
func (p *process) kill() {
	p.killed = true
	p.wiring.sever()
	p.cancel()
	<-p.done
}

// stop is SIGTERM; the bound is G6's.
func (p *process) stop() {
	began := time.Now()
	p.asked = true
	p.cancel()
	<-p.done
	if took := time.Since(began); took > 10*time.Second {
		p.w.fail("G6: stopping took %v", took)
	}
}

func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.problem == "" {
		w.problem = fmt.Sprintf(format, args...)
	}
}

// tend replaces processes that ended by themselves, which only a damaged cursor
// may make them do (BADCURSOR, MISMATCH): an operator puts right what he did.
func (w *world) tend() {
	for i, p := range w.processes {
		select {
		case <-p.done:
		default:
			continue
		}
		switch {
		case p.killed:
		case p.err == nil && p.asked:
		case fault.ClassOf(p.err) == fault.Cursor || fault.ClassOf(p.err) == fault.Data && strings.Contains(p.err.Error(), "is not a string"):
			w.counts.add("exit, cursor unusable")
			w.repair()
		case fault.ClassOf(p.err) == fault.Conflict:
			w.counts.add("exit conflict") // it was to begin elsewhere, and another writer was quicker
		case fault.ClassOf(p.err) == fault.Unreachable && strings.Contains(p.err.Error(), "405"):
			w.counts.add("exit, relay refuses") // at its first dial
		default:
			w.fail("process %d ended: %v", p.number, p.err)
		}
		w.processes[i] = nil
	}
	alive := w.processes[:0]
	for _, p := range w.processes {
		if p != nil {
			alive = append(alive, p)
		}
	}
	w.processes = alive
	if len(w.processes) == 0 {
		w.start()
	}
}

// repair puts back the keys that trouble spoilt.
func (w *world) repair() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, text := range w.mendText {
		w.store.putBack(key, text)
		delete(w.mendText, key)
	}
	w.unstrange()
}

// unstrange puts back what a stranger wrote, where only an operator can: at a start on
// another relay than the bridge's, since the number may be one of the bridge's relay.
func (w *world) unstrange() {
	side, _ := w.store.redis.Get(sideKey)
	left := regexp.MustCompile(`"upto":(\d+)`).FindStringSubmatch(side)
	if !w.bridge && left != nil && w.oracle.estranged() {
		w.store.do("SET", cursorKey, left[1])
	}
}

// play is one run: trouble while the relay makes events, then calm until
// everything is stored.
func (w *world) play() {
	produced := make(chan struct{})
	go func() { defer close(produced); w.produce() }()
	w.start()
	w.trouble(produced)
	w.settle()
	for _, p := range w.processes {
		p.stop()
		if p.err != nil {
			w.fail("a clean stop ended with: %v", p.err)
		}
	}
	w.relay.Close()
	w.store.close()
	time.Sleep(time.Minute) // go-redis looks once a second whether to give up dialling
}

// settle waits, in virtual time, until the stream is complete.
func (w *world) settle() {
	for deadline := time.Now().Add(2 * time.Hour); ; time.Sleep(250 * time.Millisecond) {
		w.tend()
		err := w.oracle.complete()
		if err == nil || w.verdict() != "" {
			return
		}
		if time.Now().After(deadline) {
			w.fail("two hours of calm later: %v", err)
			return
		}
	}
}

func (w *world) verdict() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.problem != "" {
		return w.problem
	}
	return w.oracle.verdict()
}
