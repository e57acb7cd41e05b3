package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// swollen is the bound of guarantee G5 for any input: 64 MiB and queue-bytes,
// here in KiB with the default of 8 MiB.
const swollen = maxResident + 8<<10

const attacker = "did:plc:aaaabbbbccccddddeeeeffff"

// attack is a log of legal frames that are small on the wire and large in
// memory, and what must become of each.
type attack struct {
	t       *testing.T
	binary  string // what people run
	log     *relayserver.MemoryLog
	last    event.Seq
	entries map[event.Seq]int // ops of each entry, -1 for events that are no commit
	rejects map[event.Seq]string
}

func newAttack(t *testing.T, binary string) *attack {
	return &attack{t: t, binary: binary, log: relayserver.NewMemoryLog(0), entries: map[event.Seq]int{}, rejects: map[event.Seq]string{}}
}

// add puts a frame into the log: ops is what its entry must hold, rejected the
// reason for which it has none.
func (a *attack) add(raw []byte, ops int, rejected string) {
	a.t.Helper()
	a.last++
	raw, ok := frame.SetSeq(nil, raw, a.last)
	if !ok {
		a.t.Fatal("the frame has no seq")
	}
	if err := a.log.Append(a.last, raw); err != nil {
		a.t.Fatal(err)
	}
	if rejected != "" {
		a.rejects[a.last] = rejected
	} else {
		a.entries[a.last] = ops
	}
}

// block is a record's block of this CBOR.
func block(data []byte) blocks.Block {
	sum := sha256.Sum256(data)
	return blocks.Block{CID: append([]byte{1, 0x71, 0x12, 32}, sum[:]...), Data: data}
}

// recordOf is {"t": value, "$type": "a.b.c"}, of which value is CBOR.
func recordOf(value []byte) blocks.Block {
	return block(append(append([]byte("\xa2at"), value...), "e$typeea.b.c"...))
}

func cborText(content []byte) []byte {
	return append(dagcbor.AppendHead(nil, dagcbor.MajorText, uint64(len(content))), content...)
}

// commitOf makes n creates that name the given blocks in turn.
func commitOf(n int, named, beside []blocks.Block) []byte {
	root := block([]byte{0xa0})
	ev := event.Event{Kind: event.KindCommit, Seq: 1, DID: []byte(attacker), Time: []byte("2026-01-02T03:04:05.000Z"),
		Commit: event.Commit{CID: root.CID, Rev: []byte("3kaaaaaaaaa2a"), Blocks: blocks.Write(root.CID, append(append([]blocks.Block{root}, beside...), named...))}}
	for i := range n {
		ev.Commit.Ops = append(ev.Commit.Ops, event.Op{Action: event.Create, Path: fmt.Appendf(nil, "a.b.c/%d", i), CID: named[i%len(named)].CID})
	}
	raw, err := frame.Append(nil, &ev)
	if err != nil {
		panic(err)
	}
	return raw
}

// escapes is the frame that was found first: 200 creates of one block of 7 KB
// of control characters, of which each becomes six bytes.
func escapes() []byte {
	return commitOf(200, []blocks.Block{recordOf(cborText(bytes.Repeat([]byte{1}, 6900)))}, nil)
}

// ordinary is what lies between: none of it may be lost or late.
func (a *attack) ordinary(n int) {
	for range n {
		a.add(commitOf(1, []blocks.Block{recordOf(cborText([]byte("hej")))}, nil), 1, "")
	}
}

// emptyBytes is an array of empty byte strings, each of which becomes the 14
// bytes of {"$bytes":""} and a comma: nothing grows more.
func emptyBytes(size int) []byte {
	const most = 131_000
	value := dagcbor.AppendHead(nil, dagcbor.MajorArray, uint64(size/most))
	for range size / most {
		value = append(dagcbor.AppendHead(value, dagcbor.MajorArray, most), bytes.Repeat([]byte{0x40}, most)...)
	}
	return value
}

// openArrays is one array of indefinite length, and in it empty ones of definite length:
// what makes their heads definite must not make them longer.
func openArrays(size int) []byte {
	const most = 131_000
	value := []byte{0x9f}
	for len(value) < size-1 {
		n := min(most, size-len(value)-6)
		if n < 1<<16 {
			return append(append(value, bytes.Repeat([]byte{0x80}, size-len(value)-1)...), 0xff)
		}
		value = append(dagcbor.AppendHead(value, dagcbor.MajorArray, uint64(n)), bytes.Repeat([]byte{0x80}, n)...)
	}
	return append(value, 0xff)
}

// openRecords is a commit of two such records. A stream that holds them is not Clean:
// their canonical form has other CIDs.
func (a *attack) openRecords() {
	a.add(commitOf(2, []blocks.Block{recordOf(openArrays(990_000)), recordOf(openArrays(990_000 - 2))}, nil), 2, "")
}

// indefiniteField is an identity event with megabytes of them in a field that nobody
// knows.
func indefiniteField() []byte {
	const size = 4_900_000
	text := cborText(bytes.Repeat([]byte{'x'}, size))
	raw := relaytest.Frame("#identity", map[string]any{"seq": 1, "did": attacker, "time": "t", "other": string(text[5:])})
	at := bytes.Index(raw, text)
	copy(raw[at:], openArrays(len(text)))
	return raw
}

// everything is one frame of each kind that swells, with ordinary events in
// between.
func (a *attack) everything() {
	mega := 990_000
	controls := func(c byte) blocks.Block { return recordOf(cborText(bytes.Repeat([]byte{c}, mega))) }
	deep := append(bytes.Repeat([]byte{0x81}, 30), 0xf6)
	for _, one := range []struct {
		raw      []byte
		ops      int
		rejected string
	}{
		{escapes(), 200, ""},
		{commitOf(2, []blocks.Block{controls(1), controls(2)}, nil), 2, ""},
		{commitOf(1, []blocks.Block{recordOf(emptyBytes(mega))}, nil), 1, ""},
		{commitOf(2, []blocks.Block{recordOf(emptyBytes(mega)), recordOf(append([]byte{0x82}, append(emptyBytes(mega), 0xf6)...))}, nil), 0, "limit"},
		{commitOf(200, []blocks.Block{controls(1)}, nil), 0, "limit"},
		{commitOf(200, []blocks.Block{controls(1), controls(2)}, nil), 0, "limit"},
		{commitOf(200, []blocks.Block{recordOf(deep)}, nil), 200, ""},
		{commitOf(2, []blocks.Block{
			recordOf(append(dagcbor.AppendHead(nil, dagcbor.MajorBytes, uint64(mega)), make([]byte, mega)...)),
			recordOf(append(dagcbor.AppendHead(nil, dagcbor.MajorBytes, uint64(mega-1)), make([]byte, mega-1)...))}, nil), 2, ""},
		{commitOf(1, []blocks.Block{recordOf(deep)}, []blocks.Block{recordOf(cborText(make([]byte, mega))), controls(3)}), 1, ""},
		{commitOf(200, eachOf(200, 9000), nil), 200, ""},
		{commitOf(2, []blocks.Block{recordOf(cborText(bytes.Repeat([]byte{'a'}, mega))), recordOf(cborText(bytes.Repeat([]byte{'b'}, mega)))}, nil), 2, ""},
		{relaytest.Frame("#identity", map[string]any{"seq": 1, "did": attacker, "time": "t", "other": strings.Repeat("x", 4_500_000)}), -1, ""},
		{a.many(), 1, ""},
		{a.padded(), 1, ""},
		{a.missing(), 0, ""},
		{relaytest.Frame("#account", map[string]any{"seq": 1, "did": attacker, "time": "t", "active": true, "status": strings.Repeat("\x01", 4_900_000)}), 0, "limit"},
		{relaytest.Frame("#account", map[string]any{"seq": 1, "did": attacker, "time": strings.Repeat("9", 4_900_000), "active": true}), -1, ""},
		{relaytest.Frame("#identity", map[string]any{"seq": 1, "did": attacker, "time": "t", "handle": strings.Repeat("\x01", 4_900_000)}), -1, ""},
		{indefiniteField(), -1, ""},
	} {
		a.add(one.raw, one.ops, one.rejected)
		a.ordinary(5)
	}
}

// eachOf is so many records of control characters, each another.
func eachOf(n, size int) (list []blocks.Block) {
	for i := range n {
		list = append(list, recordOf(cborText(append(bytes.Repeat([]byte{1}, size), fmt.Sprint(i)...))))
	}
	return list
}

// many is a CAR of the full size in 30,000 blocks nobody wants.
func (a *attack) many() []byte {
	var list []blocks.Block
	for i := range 30_000 {
		list = append(list, block(fmt.Appendf(nil, "x%018d", i)))
	}
	return commitOf(1, []blocks.Block{recordOf([]byte{0xf6})}, list)
}

// padded is a frame as large as a message may be.
func (a *attack) padded() []byte {
	wanted := recordOf([]byte{0xf6})
	root := block([]byte{0xa0})
	return relaytest.Frame("#commit", map[string]any{
		"seq": 1, "repo": attacker, "time": "2026-01-02T03:04:05.000Z", "rev": "3kaaaaaaaaa2a", "since": nil,
		"blobs": []any{strings.Repeat("b", 4_990_000)}, "rebase": false, "tooBig": false, "commit": dagcbor.Link(root.CID),
		"blocks": blocks.Write(root.CID, []blocks.Block{root, wanted}),
		"ops":    []any{map[string]any{"action": "create", "path": "a.b.c/1", "cid": dagcbor.Link(wanted.CID)}},
	})
}

// missing is a large frame whose ops are all skipped: it is kept with the rejects.
func (a *attack) missing() []byte {
	root, absent := block([]byte{0xa0}), recordOf([]byte{0xf5})
	ops := make([]any, 200)
	for i := range ops {
		ops[i] = map[string]any{"action": "create", "path": fmt.Sprintf("a.b.c/%d", i), "cid": dagcbor.Link(absent.CID)}
	}
	return relaytest.Frame("#commit", map[string]any{
		"seq": 1, "repo": attacker, "time": "2026-01-02T03:04:05.000Z", "rev": "3kaaaaaaaaa2a", "since": nil,
		"blobs": []any{strings.Repeat("b", 4_900_000)}, "rebase": false, "tooBig": false, "commit": dagcbor.Link(root.CID),
		"blocks": blocks.Write(root.CID, []blocks.Block{root}), "ops": ops,
	})
}

// under runs an ingest that reads the attack, and gives it with its Redis.
func (a *attack) under(t *testing.T, env []string, args ...string) (*program, *redistest.Server) {
	t.Helper()
	server := redistest.Start(t)
	relay := relaytest.Start(t, relayserver.Config{Log: a.log})
	env = append(environment(relay.URL(), server.URL()), env...)
	return startAs(t, a.binary, env, append([]string{"ingest", "--from=oldest"}, args...)...), server
}

// bounded ends the program, which must have stayed within its memory.
func (a *attack) bounded(t *testing.T, p *program) {
	t.Helper()
	kib := p.resident()
	t.Logf("peak resident memory: %.1f MiB", float64(kib)/1024)
	if kib > swollen {
		t.Errorf("peak resident memory %d KiB, want at most %d", kib, swollen)
	}
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
}

// G5, fault table "Any account: 200 ops on one block of control characters, many in
// a row": memory is bounded by what is decoded, not only by what came over the wire,
// also where Redis or a consumer group holds everything up. The program is the one
// that people run.
func TestMemoryIsBoundedWhateverIsSent(t *testing.T) {
	needsProc(t)
	redistest.RequireReal(t)
	t.Parallel()
	binary := builtHere(t)
	t.Run("control characters", func(t *testing.T) { controlCharacters(t, binary) })
	t.Run("everything that swells", func(t *testing.T) { everythingThatSwells(t, binary) })
	t.Run("while nothing is taken", func(t *testing.T) { whileNothingIsTaken(t, binary) })
}

// builtHere makes the program of packages that are compiled already: this test
// binary is larger, and so is its memory.
func builtHere(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fhctl")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build fhctl: %v\n%s", err, out)
	}
	return path
}

func controlCharacters(t *testing.T, binary string) {
	t.Parallel()
	a := newAttack(t, binary)
	for range 20 {
		a.add(escapes(), 200, "")
	}
	for name, args := range map[string][]string{
		"defaults":       nil,
		"large settings": {"--decoders=256", "--batch-size=10000", "--batch-age=1s"},
		"partitions":     {"--partitions=4", "--decoders=1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, server := a.under(t, []string{"REDIS_MAX_STREAM_LEN=5"}, args...)
			eventually(t, time.Minute, func() error {
				if name == "partitions" {
					return reachedAll(t, server, a.last)
				}
				return reached(t, server, a.last)
			})
			a.bounded(t, p)
		})
	}
}

// reachedAll is reached for the cursor of partition 0, which every batch moves.
func reachedAll(t *testing.T, server *redistest.Server, last event.Seq) error {
	t.Helper()
	return reachedAt(t, server, keyspace.Partition("firehose:python_cursor", 0), last)
}

func reachedAt(t *testing.T, server *redistest.Server, key string, last event.Seq) error {
	t.Helper()
	if got := server.Client().Get(t.Context(), key).Val(); got != last.String() {
		return fmt.Errorf("cursor %s is %q, want %s", key, got, last)
	}
	return nil
}

// G1, G5: of frames of every kind that swells each is stored whole or counted,
// named and kept.
func everythingThatSwells(t *testing.T, binary string) {
	t.Parallel()
	a := newAttack(t, binary)
	a.everything()
	a.openRecords()
	dir := filepath.Join(t.TempDir(), "rejects")
	p, server := a.under(t, []string{"FHCTL_REJECTS=" + dir})
	eventually(t, time.Minute, func() error { return reached(t, server, a.last) })
	a.check(t, server.Client())
	if got, want := p.metric(`fhctl_rejected_total{reason="limit"}`), strconv.Itoa(len(a.rejects)); got != want {
		t.Errorf("%s frames counted over the limit, want %s", got, want)
	}
	a.bounded(t, p)
	index, err := os.ReadFile(filepath.Join(dir, "index.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for seq, reason := range a.rejects {
		if !strings.Contains(string(index), fmt.Sprintf(`"seq":%s`, seq)) || !strings.Contains(string(index), reason) {
			t.Errorf("seq %s is not among the rejects:\n%s", seq, index)
		}
	}
}

// check reads the stream entry by entry and compares it with what was sent.
func (a *attack) check(t *testing.T, client *redis.Client) {
	t.Helper()
	from, last := "-", event.Seq(0)
	for found := 0; ; found++ {
		rows, err := client.XRangeN(t.Context(), "firehose:events", from, "+", 1).Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			if found != len(a.entries) {
				t.Errorf("%d entries, want %d", found, len(a.entries))
			}
			return
		}
		from = "(" + rows[0].ID
		seq, _ := event.ParseSeq(rows[0].Values["seq"].(string))
		data := rows[0].Values["data"].(string)
		var commit struct{ Ops []json.RawMessage }
		if err := json.Unmarshal([]byte(data), &commit); err != nil || seq <= last || len(data) > event.MaxData {
			t.Fatalf("entry of seq %s, behind %s, of %d bytes: %v", seq, last, len(data), err)
		}
		if want, known := a.entries[seq]; !known || want != len(commit.Ops) && want >= 0 {
			t.Errorf("seq %s has %d ops, want %d", seq, len(commit.Ops), want)
		}
		last = seq
	}
}

// G5: Redis hangs while the queue fills with what swells, and readers of a stream
// that may lose nothing take nothing.
func whileNothingIsTaken(t *testing.T, binary string) {
	t.Parallel()
	a := newAttack(t, binary)
	for range 4 {
		a.everything()
		a.openRecords()
		a.add(escapes(), 200, "")
	}
	t.Run("Redis hangs", func(t *testing.T) {
		t.Parallel()
		p, server := a.under(t, []string{"REDIS_MAX_STREAM_LEN=5"}, "--decoders=4")
		eventually(t, time.Minute, func() error { return passed(t, server, 20) })
		server.Pause()
		p.says("Redis is not available; waiting", 20*time.Second)
		server.Continue()
		eventually(t, time.Minute, func() error { return reached(t, server, a.last) })
		a.bounded(t, p)
	})
	for name, action := range map[string]string{"block": "block", "spill": "spill:" + filepath.Join(t.TempDir(), "spill")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, server := a.under(t, []string{"REDIS_MAX_STREAM_LEN=40", "FHCTL_WHEN_FULL=" + action})
			client := server.Client()
			if err := client.XGroupCreateMkStream(t.Context(), "firehose:events", "g", "0").Err(); err != nil {
				t.Fatal(err)
			}
			p.says("The stream is full", time.Minute)
			if err := client.XGroupDestroy(t.Context(), "firehose:events", "g").Err(); err != nil {
				t.Fatal(err)
			}
			eventually(t, time.Minute, func() error { return reached(t, server, a.last) })
			a.bounded(t, p)
		})
	}
}

// passed reports whether the cursor has passed a seq.
func passed(t *testing.T, server *redistest.Server, seq event.Seq) error {
	t.Helper()
	cursor, _ := event.ParseSeq(server.Client().Get(t.Context(), "firehose:python_cursor").Val())
	if cursor < seq {
		return fmt.Errorf("cursor %s, want %s", cursor, seq)
	}
	return nil
}

// G5: commands that read what swells, from a stream, a capture or a relay, stay
// within the bound as well.
func TestMemoryOfReadersIsBoundedWhateverIsThere(t *testing.T) {
	needsProc(t)
	redistest.RequireReal(t)
	t.Parallel()
	a := newAttack(t, builtHere(t))
	for range 10 {
		a.add(escapes(), 200, "")
	}
	a.everything()
	relay := relaytest.Start(t, relayserver.Config{Log: a.log})
	server := redistest.Start(t)
	env := environment(relay.URL(), server.URL())
	p := startAs(t, a.binary, env, "ingest", "--from=oldest", "--until-seq="+a.last.String())
	p.mustExit(0, time.Minute)
	file := filepath.Join(t.TempDir(), "run.fhz")
	a.record(file)
	for name, c := range map[string]struct {
		exit int
		args []string
	}{
		"tail stream":            {0, []string{"tail", "--tail=all", "-o", "json"}},
		"tail the newest":        {0, []string{"tail", "--tail=80"}},
		"tail relay":             {0, []string{"tail", "--source=relay", "--since=oldest", "--limit=60", "-o", "json"}},
		"replay stream":          {0, []string{"replay", "stream"}},
		"replay capture":         {0, []string{"replay", file, "--to", server.URL(), "--to-stream", "copy"}},
		"replay capture, stdout": {0, []string{"replay", file}},
		"replay capture, raw":    {0, []string{"replay", file, "--raw"}},
		"replay into a capture":  {0, []string{"replay", file, filepath.Join(t.TempDir(), "copy.fhz")}},
		"record":                 {0, []string{"record", filepath.Join(t.TempDir(), "new.fhz"), "--from=oldest", "--limit=60"}},
		"tail stream, template":  {0, []string{"tail", "--template", "{{.seq}} {{with .data.ops}}{{json .}}{{end}}"}},
		"verify capture":         {3, []string{"verify", file}},
		"verify stream":          {0, []string{"verify"}},
		"doctor":                 {3, []string{"doctor"}},
		"stream stats":           {0, []string{"stream", "stats"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := startAs(t, a.binary, env, c.args...)
			kib := p.peakUntilEnd()
			t.Logf("peak resident memory: %.1f MiB", float64(kib)/1024)
			if got := p.exit(0); got != c.exit {
				t.Errorf("exit code %d, want %d:\n%s", got, c.exit, lastOf(p.output()))
			}
			if kib > swollen || kib == 0 {
				t.Errorf("peak resident memory %d KiB, want at most %d", kib, swollen)
			}
		})
	}
}

// A Redis that takes no values above 1 MiB: such events are counted, named and kept,
// and what is between and behind them is stored.
func TestRedisThatTakesNoLargeEntries(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	a := newAttack(t, fhctlPath(t))
	a.ordinary(3)
	for i := range 2 {
		a.add(commitOf(200, []blocks.Block{recordOf(cborText(bytes.Repeat([]byte{1}, 6900+i)))}, nil), 0, "limit")
		a.ordinary(2)
	}
	server := redistest.Start(t, "--proto-max-bulk-len", "1mb", "--client-query-buffer-limit", "1mb")
	relay := relaytest.Start(t, relayserver.Config{Log: a.log})
	dir := filepath.Join(t.TempDir(), "rejects")
	for _, args := range [][]string{nil, {"--partitions=2", "--stream-key=set", "--cursor-key=set:cursor"}} {
		p := startAs(t, a.binary, append(environment(relay.URL(), server.URL()), "FHCTL_REJECTS="+dir), append([]string{"ingest", "--from=oldest"}, args...)...)
		eventually(t, time.Minute, func() error {
			if args != nil {
				return reachedAt(t, server, keyspace.Partition("set:cursor", 0), a.last)
			}
			return reached(t, server, a.last)
		})
		eventually(t, time.Minute, func() error { return p.shows(`fhctl_rejected_total{reason="limit"}`, 2) })
		p.says("proto-max-bulk-len", 0)
		p.signal(syscall.SIGTERM)
		p.mustExit(0, 10*time.Second)
	}
	a.check(t, server.Client())
	if n := server.Client().XLen(t.Context(), keyspace.Partition("set", 0)).Val() + server.Client().XLen(t.Context(), keyspace.Partition("set", 1)).Val(); n != int64(len(a.entries)) {
		t.Errorf("the set has %d entries, want %d", n, len(a.entries))
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.jsonl"))
	for seq := range a.rejects {
		if err != nil || !strings.Contains(string(index), fmt.Sprintf(`"seq":%s`, seq)) {
			t.Errorf("seq %s is not among the rejects, %v:\n%s", seq, err, index)
		}
	}
}

// record makes a capture of the attack.
func (a *attack) record(path string) {
	a.t.Helper()
	w, err := capture.Create(path)
	if err != nil {
		a.t.Fatal(err)
	}
	for seq := event.Seq(0); seq < a.last; {
		next, raw, err := a.log.Next(a.t.Context(), seq)
		if err == nil {
			err = w.Write(raw)
		}
		if err != nil {
			a.t.Fatal(err)
		}
		seq = next
	}
	if err := w.Close(); err != nil {
		a.t.Fatal(err)
	}
}
