package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// frames is every message in a capture.
func frames(t *testing.T, path string) (list []string) {
	t.Helper()
	r, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for raw, err := range r.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(raw))
	}
	return list
}

// recordAll writes the corpus into a capture without the program.
func (c *corpus) recordAll(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus.fhz")
	w, err := capture.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for after := event.Seq(0); after < c.last; {
		seq, raw, err := c.log.Next(t.Context(), after)
		if err == nil {
			err = w.Write(raw)
		}
		if err != nil {
			t.Fatal(err)
		}
		after = seq
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A capture of a live run, replayed through --serve into a second Redis, gives
// an identical stream: types, data, seq. Both relays commit faults.
func TestReplayOfALiveRunGivesTheSameStream(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 1500)
	live := c.serve(t, "drop@200,leap@300,leap@400:1000000000,cut@700,repeat@900:20,drop@1200", inclusive)
	path := filepath.Join(t.TempDir(), "live.fhz")
	first, second := redistest.Start(t), redistest.Start(t)

	recording := start(t, environment(live.URL(), first.URL()), "record", "--from", "oldest", path, "--limit", fmt.Sprint(len(c.frames(t))))
	ingest := start(t, environment(live.URL(), first.URL()), "ingest", "--from", "oldest", until(c.last))
	ingest.mustExit(0, time.Minute)
	recording.mustExit(0, time.Minute)
	if got := frames(t, path); !slices.Equal(got, c.frames(t)) {
		t.Fatalf("the capture has %d frames that are not those of the relay, %d", len(got), len(c.frames(t)))
	}

	relay := start(t, nil, "replay", path, "--serve", "127.0.0.1:0", "--fault", "drop@300,stall@600:50ms,garbage@800,cut@1000")
	relay.says("fhctl ingest --relay-url ws://", 30*time.Second)
	_, url, _ := strings.Cut(relay.output(), "--relay-url ")
	url, _, _ = strings.Cut(url, "\n")
	again := start(t, environment(url, second.URL()), "ingest", until(c.last))
	again.mustExit(0, time.Minute)
	relay.signal(os.Interrupt)
	relay.mustExit(0, 10*time.Second)

	c.check(t, first.Client(), c.last)
	c.check(t, second.Client(), c.last)
	a, b := fieldsOf(t, first, "firehose:events"), fieldsOf(t, second, "firehose:events")
	if len(a) == 0 || !slices.Equal(a, b) {
		t.Fatalf("the streams differ: %d and %d entries", len(a), len(b))
	}
}

// A relay is passed on to clients of another one, which is served: all of it, and more
// than waits between reader and target.
func TestReplayServesARelay(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 1000)
	server := c.serve(t, "")
	relay := start(t, nil, "replay", "--source", server.URL(), "--from", "oldest", "--serve", "127.0.0.1:0")
	relay.says("fhctl ingest --relay-url ws://", 30*time.Second)
	_, url, _ := strings.Cut(relay.output(), "--relay-url ")
	url, _, _ = strings.Cut(url, "\n")
	path := filepath.Join(t.TempDir(), "run.fhz")
	again := start(t, environment(url, "redis://127.0.0.1:1"), "record", "--from", "oldest", "--to", strconv.FormatInt(int64(c.last), 10), path)
	again.mustExit(0, time.Minute)
	relay.signal(os.Interrupt)
	relay.mustExit(0, 10*time.Second)
	if got := frames(t, path); !slices.Equal(got, c.frames(t)) {
		t.Errorf("%d frames came, and they are not those of the relay, %d", len(got), len(c.frames(t)))
	}
}

// frames is every message of the corpus.
func (c *corpus) frames(t *testing.T) (list []string) {
	t.Helper()
	for after := event.Seq(0); after < c.last; {
		seq, raw, err := c.log.Next(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		list, after = append(list, string(raw)), seq
	}
	return list
}

// What kill -9 leaves of a recording is gone on with: nothing twice, nothing
// missing.
func TestRecordResumesAfterKill(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 3000)
	server := c.serve(t, "", slow(250))
	path := filepath.Join(t.TempDir(), "run.fhz")
	p := start(t, environment(server.URL(), "redis://127.0.0.1:1"), "record", "--from", "oldest", path)
	eventually(t, 30*time.Second, func() error { _, err := os.Stat(path + ".resume"); return err })
	p.kill()
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the capture has its name before it is complete")
	}
	fast := c.serve(t, "")
	start(t, environment(fast.URL(), "redis://127.0.0.1:1"), "record", "--from", "oldest", path).mustExit(2, 10*time.Second)
	// Another address is another numbering, as far as anybody knows.
	start(t, environment(fast.URL(), "redis://127.0.0.1:1"), "record", "--from", "oldest", path, "--resume").mustExit(2, 10*time.Second)
	raw, err := os.ReadFile(path + ".resume")
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(raw), strings.TrimPrefix(server.URL(), "ws://"), strings.TrimPrefix(fast.URL(), "ws://"), 1)
	if err := os.WriteFile(path+".resume", []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	p = start(t, environment(fast.URL(), "redis://127.0.0.1:1"), "record", "--from", "oldest", path, "--resume", "--to", c.last.String())
	p.mustExit(0, time.Minute)
	if got := frames(t, path); !slices.Equal(got, c.frames(t)) {
		t.Fatalf("the capture has %d frames that are not those of the relay, %d", len(got), len(c.frames(t)))
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A finite replay that is interrupted says so, and goes on.
func TestReplayIntoStreamResumesAfterInterrupt(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 1200)
	path := c.recordAll(t)
	server := redistest.Start(t)
	env := environment("wss://relay.invalid", server.URL())
	p := start(t, env, "replay", path, "stream", "--to-stream", "copy", "--rate", "400/s")
	eventually(t, 30*time.Second, func() error {
		if n := server.Client().XLen(t.Context(), "copy").Val(); n < 100 {
			return fmt.Errorf("%d entries", n)
		}
		return nil
	})
	p.signal(os.Interrupt)
	p.mustExit(130, 10*time.Second)
	if n := server.Client().XLen(t.Context(), "copy").Val(); n >= int64(len(c.want)) {
		t.Fatalf("nothing is left to resume: %d entries", n)
	}
	start(t, env, "replay", path, "stream", "--to-stream", "copy").mustExit(7, 10*time.Second)
	start(t, env, "replay", path, "stream", "--to-stream", "copy", "--resume", "--collection", "app.bsky.feed.post").mustExit(6, 10*time.Second)
	start(t, env, "replay", path, "stream", "--to-stream", "copy", "--resume").mustExit(0, 30*time.Second)
	start(t, env, "replay", path, "stream", "--to-stream", "copy", "--resume").mustExit(0, 30*time.Second)
	if got, want := fieldsOf(t, server, "copy"), c.entries(); !slices.Equal(got, want) {
		t.Fatalf("%d entries, want %d, or in another order", len(got), len(want))
	}
	if keys := server.Client().Keys(t.Context(), "firehose:*").Val(); len(keys) > 0 {
		t.Errorf("a replay made live keys: %v", keys)
	}
}

// fieldsOf is a stream's entries without their ids.
func fieldsOf(t *testing.T, server *redistest.Server, key string) (list []string) {
	t.Helper()
	rows, err := server.Client().Do(t.Context(), "XRANGE", key, "-", "+").Slice()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		list = append(list, fmt.Sprint(row.([]any)[1]))
	}
	return list
}

// entries is what the corpus becomes.
func (c *corpus) entries() (list []string) {
	for _, w := range c.want {
		list = append(list, fmt.Sprint([]any{"type", w.kind, "data", w.data, "seq", w.seq.String()}))
	}
	return list
}

// A stream goes to another as it is, whole or in part, and the live one is
// refused by name, by its cursor and by a heartbeat.
func TestReplayStreamToStream(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 600)
	server := redistest.Start(t)
	client := server.Client()
	env := environment(c.serve(t, "").URL(), server.URL())
	start(t, env, "ingest", "--from", "oldest", until(c.last)).mustExit(0, time.Minute)
	cursor := client.Get(t.Context(), "firehose:python_cursor").Val()

	start(t, env, "replay", "stream", "stream", "--to-stream", "whole").mustExit(0, 30*time.Second)
	if got := fieldsOf(t, server, "whole"); !slices.Equal(got, c.entries()) {
		t.Errorf("%d entries, want %d, or in another order", len(got), len(c.entries()))
	}
	from, to := c.want[100].seq, c.want[199].seq
	start(t, env, "replay", "--from", from.String(), "--to", to.String(), "--to-stream", "part").mustExit(0, 30*time.Second)
	if got := fieldsOf(t, server, "part"); !slices.Equal(got, c.entries()[100:200]) {
		t.Errorf("the range has %d entries, want 100, or others", len(got))
	}
	ids, err := client.XRangeN(t.Context(), "firehose:events", "-", "+", 50).Result()
	if err != nil {
		t.Fatal(err)
	}
	start(t, env, "replay", "--from", ids[10].ID, "--to", ids[19].ID, "--to", "stream", "--to-stream", "ids").mustExit(0, 30*time.Second)
	if got := fieldsOf(t, server, "ids"); !slices.Equal(got, c.entries()[10:20]) {
		t.Errorf("the range of ids has %d entries, want 10, or others", len(got))
	}

	start(t, env, "replay", "--stream-key", "whole", "--to-stream", "firehose:events").mustExit(2, 10*time.Second)
	client.Do(t.Context(), "XADD", "theirs", "*", "type", "account", "data", "{}", "seq", "1")
	p := start(t, env, "replay", "--stream-key", "whole", "--to-stream", "theirs")
	p.mustExit(7, 10*time.Second)
	client.Del(t.Context(), "firehose:python_cursor", "firehose:status")
	client.Set(t.Context(), "firehose:status", `{"connected":true}`, time.Minute)
	start(t, env, "replay", "--stream-key", "whole", "--to-stream", "theirs").mustExit(7, 10*time.Second)
	client.Set(t.Context(), "firehose:python_cursor", cursor, 0)
	before := client.XLen(t.Context(), "firehose:events").Val()
	start(t, env, "replay", "--stream-key", "part", "--to-stream", "firehose:events", "--append-to-live-stream").mustExit(0, 10*time.Second)
	if got := client.XLen(t.Context(), "firehose:events").Val(); got != before+100 {
		t.Errorf("%d entries were appended to the live stream, want 100", got-before)
	}
	if got := client.Get(t.Context(), "firehose:python_cursor").Val(); got != cursor {
		t.Errorf("the live cursor moved from %s to %s", cursor, got)
	}
	start(t, env, "replay", "--stream-key", "nothing").mustExit(4, 10*time.Second)
}

// A relay that refuses, or is not there, ends it; so does a seq it cannot know.
func TestReplayRelayFailures(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 50)
	server := c.serve(t, "")
	out := filepath.Join(t.TempDir(), "x.fhz")
	start(t, environment("ws://127.0.0.1:1", "redis://127.0.0.1:1"), "record", out).mustExit(4, 10*time.Second)
	start(t, environment(server.URL(), "redis://127.0.0.1:1"), "record", out, "--from", (c.last+10).String()).mustExit(6, 10*time.Second)
	for _, left := range []string{out, capture.PartialName(out), out + ".resume"} {
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("%s is left of a recording that never was", left)
		}
	}
	// The window ends where the relay falls silent.
	start(t, environment(server.URL(), "redis://127.0.0.1:1"), "replay", "relay", out).mustExit(0, 30*time.Second)
	if got := frames(t, out); !slices.Equal(got, c.frames(t)) {
		t.Errorf("the window has %d frames, want %d", len(got), len(c.frames(t)))
	}
}

// Damage ends a replay with what was good before it.
func TestReplayOfADamagedCapture(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 300)
	path := c.recordAll(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()*3/4); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "saved.fhz")
	start(t, nil, "replay", path, out).mustExit(8, 10*time.Second)
	if got := frames(t, out); len(got) == 0 || !slices.Equal(got, c.frames(t)[:len(got)]) {
		t.Errorf("%d frames were saved, or others", len(got))
	}
}
