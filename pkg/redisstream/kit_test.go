package redisstream

import (
	"errors"
	flags "flag"
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/testkit"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// TestMain runs more tests at once than there are processors: those marked as
// parallel wait for leases, timeouts and heartbeats. -parallel says otherwise.
func TestMain(m *testing.M) {
	_ = flags.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	m.Run()
}

// kit is a server, its test client, and what writers said.
type kit struct {
	*testkit.Kit
	mu     sync.Mutex
	stores []event.Store
}

func newKit(t testing.TB, server *redistest.Server) *kit {
	return &kit{Kit: testkit.New(t, server)}
}

func eachServer(t *testing.T, test func(t *testing.T, k *kit)) {
	redistest.Each(t, func(t *testing.T, s *redistest.Server) { test(t, newKit(t, s)) })
}

// reader opens a Reader on the kit's server.
func (k *kit) reader(change ...func(*reader.Config)) *reader.Reader {
	k.T.Helper()
	cfg := reader.Config{Connection: k.Connection()}
	for _, c := range change {
		c(&cfg)
	}
	r, err := reader.Open(k.Ctx(), cfg)
	if err != nil {
		k.T.Fatalf("open reader: %v", err)
	}
	k.T.Cleanup(func() { _ = r.Close() })
	return r
}

func (k *kit) config(change ...func(*Config)) Config {
	cfg := Config{
		Connection: k.Connection(),
		Identity:   Identity{Relay: storetest.Relay},
		Notify: func(s event.Store) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.stores = append(k.stores, s)
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

// told gives what Notify heard.
func (k *kit) told() []event.Store {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]event.Store(nil), k.stores...)
}

// open opens a writer and resumes; both must succeed.
func (k *kit) open(change ...func(*Config)) (*Writer, event.Resume) {
	k.T.Helper()
	w, err := Open(k.Ctx(), k.config(change...))
	if err != nil {
		k.T.Fatalf("open: %v (hint: %s)", err, fault.HintOf(err))
	}
	k.T.Cleanup(func() { _ = w.Close() })
	at, err := w.Resume(k.Ctx())
	if err != nil {
		k.T.Fatalf("resume: %v (hint: %s)", err, fault.HintOf(err))
	}
	return w, at
}

// must commits and expects success.
func (k *kit) must(w *Writer, batches ...*event.Batch) []event.Receipt {
	k.T.Helper()
	receipts, err := w.Commit(k.Ctx(), batches)
	if err != nil {
		k.T.Fatalf("commit: %v (hint: %s)", err, fault.HintOf(err))
	}
	if len(receipts) != len(batches) {
		k.T.Fatalf("%d receipts for %d batches", len(receipts), len(batches))
	}
	return append([]event.Receipt(nil), receipts...)
}

// moved commits and expects *event.Moved with the alarm.
func (k *kit) moved(w *Writer, alarm event.Alarm, to event.Position, batches ...*event.Batch) *event.Moved {
	k.T.Helper()
	_, err := w.Commit(k.Ctx(), batches)
	var moved *event.Moved
	if !errors.As(err, &moved) {
		k.T.Fatalf("commit: got %v, want *event.Moved", err)
	}
	if moved.Alarm != alarm || moved.To != to {
		k.T.Fatalf("moved: got %s to %s (%s), want %s to %s", moved.Alarm, moved.To, moved.Detail, alarm, to)
	}
	return moved
}

// stream reads all seqs, checking shape and field order of each entry.
func (k *kit) stream() []event.Seq {
	k.T.Helper()
	rows, err := k.Client.Do(k.Ctx(), "xrange", keyspace.DefaultStream, "-", "+").Slice()
	if err != nil {
		k.T.Fatal(err)
	}
	seqs := make([]event.Seq, 0, len(rows))
	for _, row := range rows {
		f := row.([]any)[1].([]any)
		if len(f) != 6 || f[0] != "type" || f[2] != "data" || f[4] != "seq" {
			k.T.Fatalf("entry fields are %v", f)
		}
		seq, ok := event.ParseSeq(f[5].(string))
		if !ok {
			k.T.Fatalf("seq field %v", f[5])
		}
		seqs = append(seqs, seq)
	}
	return seqs
}

// want checks the whole stream and the cursor.
func (k *kit) want(cursor event.Seq, seqs ...event.Seq) {
	k.T.Helper()
	if got := k.stream(); fmt.Sprint(got) != fmt.Sprint(seqs) {
		k.T.Fatalf("stream is %v, want %v", got, seqs)
	}
	if got := k.Get(keyspace.DefaultCursor); got != cursor.String() {
		k.T.Fatalf("cursor is %q, want %s", got, cursor)
	}
}

// wantRun checks that the stream is exactly first..last.
func (k *kit) wantRun(first, last event.Seq) {
	k.T.Helper()
	got := k.stream()
	if len(got) != int(last-first+1) {
		k.T.Fatalf("stream has %d entries, want %d", len(got), last-first+1)
	}
	for i, seq := range got {
		if seq != first+event.Seq(i) {
			k.T.Fatalf("entry %d is seq %d, want %d", i, seq, first+event.Seq(i))
		}
	}
}

// rollBack lets Redis forget: cursor and side key are what they were, together, as
// they are after every loss. A cursor that is set alone is a stranger's work.
func (k *kit) rollBack(cursorKey string, to event.Seq) {
	k.T.Helper()
	side := k.Get(cursorKey + ":meta")
	for _, name := range []string{"upto", "stored"} {
		side = regexp.MustCompile(`"`+name+`":\d+`).ReplaceAllString(side, fmt.Sprintf(`"%s":%d`, name, to))
	}
	k.Set(cursorKey+":meta", side)
	k.Set(cursorKey, to.String())
}

// side is the side key without the id behind which others' entries begin, which
// depends on the clock.
func (k *kit) side() string {
	k.T.Helper()
	return regexp.MustCompile(`"(othersFrom|deleted)":"[^"]*",`).ReplaceAllString(k.Get(keyspace.DefaultCursor+":meta"), "")
}
