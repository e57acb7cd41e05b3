package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// endlessLog is a relay's log without end: a few frames, renumbered again and
// again with gaps, at a steady rate. It keeps nothing, so it can run for hours.
type endlessLog struct {
	frames [][]byte
	want   []wanted // by frame; data "" where it yields no entry
	rate   int64
	began  time.Time

	mu    sync.Mutex
	total int64 // fixed once ended; 0 until then
}

const soakBase event.Seq = 7_000_000_001

func newEndlessLog(t *testing.T, rate int64) *endlessLog {
	t.Helper()
	frames := recordedFrames(t)
	if frames == nil {
		frames = simulatedFrames(t, 1000)
	}
	l := &endlessLog{frames: frames, rate: rate, began: time.Now(), want: make([]wanted, len(frames))}
	var decoder frame.Decoder
	var ev event.Event
	for i, raw := range frames {
		if err := decoder.Decode(raw, &ev); err != nil {
			t.Fatal(err)
		}
		if data, ok := entry.Append(nil, &ev); ok {
			l.want[i] = wanted{kind: ev.Kind.String(), data: string(data)}
		}
	}
	return l
}

// seq numbers the i-th frame; every third number is skipped (Q1).
func (l *endlessLog) seq(i int64) event.Seq { return soakBase + event.Seq(i+i/2) }

// followtest.Above is the first frame whose seq is above after.
func (l *endlessLog) above(after event.Seq) int64 {
	i := max(0, int64(after-soakBase)*2/3-2)
	for l.seq(i) <= after {
		i++
	}
	return i
}

// made is how many frames there are now; they come in tens of milliseconds.
func (l *endlessLog) made() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total > 0 {
		return l.total
	}
	return time.Since(l.began).Milliseconds() / 10 * l.rate / 100
}

// end stops the flow and tells how many frames there were.
func (l *endlessLog) end() int64 {
	n := l.made()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total = n
	return n
}

func (l *endlessLog) Bounds() (oldest, newest event.Seq) {
	n := l.made()
	if n == 0 {
		return 0, 0
	}
	return l.seq(0), l.seq(n - 1)
}

func (l *endlessLog) Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error) {
	i := l.above(after)
	for i >= l.made() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
	raw, ok := frame.SetSeq(nil, l.frames[i%int64(len(l.frames))], l.seq(i))
	if !ok {
		return 0, nil, errors.New("a frame has no seq")
	}
	return l.seq(i), raw, nil
}

// wanted is what the i-th frame must become; ok is false when it yields nothing.
func (l *endlessLog) wanted(i int64) (w wanted, ok bool) {
	w = l.want[i%int64(len(l.want))]
	w.seq = l.seq(i)
	return w, w.data != ""
}

// soakFigures are what the reader saw.
type soakFigures struct {
	events                     int64 // as they should be
	lost, twice, damaged       int64
	again                      int64 // put back by a Redis that lost them, read again (G4)
	pause                      time.Duration
	during                     string // the fault that struck last before it
	first                      string // the first thing that was wrong
	next                       int64  // index of the frame expected next
	lastID                     string
	current                    string
	lastAt                     time.Time
	redelivered, interruptions int64
}

const (
	soakGroup    = "soak"
	soakConsumer = "c1"
	streamKey    = "firehose:events"
)

// soakReader is a consumer group of one. It reads from Redis directly, not
// through the proxy, acknowledges, and compares each entry with the log.
type soakReader struct {
	client *redis.Client
	log    *endlessLog
	ctx    context.Context

	turn sync.Mutex // held while an exchange is under way, and while paused
	mu   sync.Mutex // guards what follows
	soakFigures
	failed error
}

func newSoakReader(t *testing.T, client *redis.Client, log *endlessLog) *soakReader {
	ctx, cancel := context.WithCancel(context.Background())
	r := &soakReader{client: client, log: log, ctx: ctx}
	r.lastID, r.lastAt, r.current = "0-0", time.Now(), "start"
	if err := client.XGroupCreateMkStream(ctx, streamKey, soakGroup, "0").Err(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); r.run() }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

// shell.Run reads until the test ends. After every interruption it first asks for
// what it was given already, since the reply may have been lost.
func (r *soakReader) run() {
	from := "0"
	for r.ctx.Err() == nil {
		n, err := r.exchange(from)
		switch {
		case err != nil:
			from = "0"
			r.mu.Lock()
			r.interruptions++
			r.mu.Unlock()
			select {
			case <-time.After(20 * time.Millisecond):
			case <-r.ctx.Done():
			}
		case n == 0:
			from = ">"
		}
	}
}

// exchange reads one handful, compares and acknowledges it.
func (r *soakReader) exchange(from string) (n int, err error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
	defer cancel()
	reply, err := r.client.Do(ctx, "XREADGROUP", "GROUP", soakGroup, soakConsumer, "COUNT", 500, "BLOCK", 100, "STREAMS", streamKey, from).Slice()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	rows := reply[0].([]any)[1].([]any)
	ack := []any{"XACK", streamKey, soakGroup}
	for _, row := range rows {
		pair := row.([]any)
		r.see(pair[0].(string), pair[1])
		ack = append(ack, pair[0])
	}
	if len(rows) > 0 {
		err = r.client.Do(ctx, ack...).Err()
	}
	return len(rows), err
}

// see judges one entry.
func (r *soakReader) see(id string, fields any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !laterID(id, r.lastID) {
		r.redelivered++ // read before; its acknowledgement was lost
		return
	}
	r.lastID = id
	if gap := time.Since(r.lastAt); gap > r.pause {
		r.pause, r.during = gap, r.current
	}
	r.lastAt = time.Now()
	list, _ := fields.([]any)
	if len(list) < 6 {
		r.wrong(&r.damaged, fmt.Sprintf("entry %s holds %.200v", id, fields))
		return
	}
	seq, _ := event.ParseSeq(fmt.Sprint(list[5]))
	w, ok := r.log.wanted(r.next)
	for ; !ok || w.seq < seq; w, ok = r.log.wanted(r.next) {
		if ok {
			r.wrong(&r.lost, fmt.Sprintf("seq %s is missing before entry %s, seq %s", w.seq, id, seq))
		}
		r.next++
	}
	if w.seq > seq {
		r.wrong(&r.twice, fmt.Sprintf("entry %s holds seq %s, where %s was next", id, seq, w.seq))
		return
	}
	r.next++
	r.events++
	if list[0] != "type" || list[1] != w.kind || list[2] != "data" || list[3] != w.data || list[4] != "seq" {
		r.wrong(&r.damaged, fmt.Sprintf("entry %s, seq %s, holds %.300v", id, seq, list))
	}
}

func (r *soakReader) wrong(count *int64, what string) {
	if *count++; r.first == "" {
		r.first = fmt.Sprintf("%s (last fault: %s)", what, r.current)
	}
}

// laterID compares stream ids by their two numbers.
func laterID(a, b string) bool {
	var am, as, bm, bs int64
	_, _ = fmt.Sscanf(a, "%d-%d", &am, &as)
	_, _ = fmt.Sscanf(b, "%d-%d", &bm, &bs)
	return am > bm || am == bm && as > bs
}

// hold keeps the reader from Redis until release.
func (r *soakReader) hold() { r.turn.Lock() }

// release looks how far Redis went back before anybody writes to it: what the
// group has not been given now will come again, under other ids.
func (r *soakReader) release() {
	defer r.turn.Unlock()
	err := r.rewind()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
}

func (r *soakReader) rewind() error {
	groups, err := r.client.XInfoGroups(r.ctx, streamKey).Result()
	for try := 0; err != nil && try < 50; try++ { // a first try may meet the old connection
		time.Sleep(50 * time.Millisecond)
		groups, err = r.client.XInfoGroups(r.ctx, streamKey).Result()
	}
	if err != nil || len(groups) != 1 {
		return fmt.Errorf("look at the group after a restart: %v, %w", groups, err)
	}
	at := groups[0].LastDeliveredID
	r.mu.Lock()
	defer r.mu.Unlock()
	if !laterID(r.lastID, at) {
		return nil
	}
	next := int64(0)
	if at != "0-0" {
		rows, err := r.client.XRange(r.ctx, streamKey, at, at).Result()
		if err != nil || len(rows) != 1 {
			return fmt.Errorf("look at entry %s: %v, %w", at, rows, err)
		}
		seq, _ := event.ParseSeq(fmt.Sprint(rows[0].Values["seq"]))
		next = r.log.above(seq)
	}
	for i := next; i < r.next; i++ {
		if _, ok := r.log.wanted(i); ok {
			r.again++
			r.events--
		}
	}
	r.next, r.lastID = next, at
	return nil
}

// name says which fault strikes now.
func (r *soakReader) name(fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = fault
}

// must fails the test when the reader could not go on.
func (r *soakReader) must(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil {
		t.Fatal(r.failed)
	}
}

// reached is nil once the first n frames' entries were read.
func (r *soakReader) reached(n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := r.next; i < n; i++ {
		if w, ok := r.log.wanted(i); ok {
			return fmt.Errorf("the reader waits for seq %s; %d frames were sent; first trouble: %s", w.seq, n, r.first)
		}
	}
	return nil
}

func (r *soakReader) figures() soakFigures {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.soakFigures
}
