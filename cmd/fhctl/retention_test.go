package main

import (
	"encoding/json"
	"errors"
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

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/stats"
)

// A group that the tests read by hand.
const slowGroup = "slow"

// reads takes up to n entries for the slow group, none of which is pending then;
// it gives their seqs.
func reads(t *testing.T, client *redis.Client, n int) (seqs []event.Seq) {
	t.Helper()
	return readsOf(t, client, "firehose:events", n)
}

// readsOf is reads from another stream.
func readsOf(t *testing.T, client *redis.Client, stream string, n int) (seqs []event.Seq) {
	t.Helper()
	streams, err := client.XReadGroup(t.Context(), &redis.XReadGroupArgs{
		Group: slowGroup, Consumer: "c", Count: int64(n), Block: -1, NoAck: true, Streams: []string{stream, ">"}}).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range streams[0].Messages {
		seq, _ := event.ParseSeq(m.Values["seq"].(string))
		seqs = append(seqs, seq)
	}
	return seqs
}

func createGroup(t *testing.T, client *redis.Client) {
	t.Helper()
	createGroupOf(t, client, "firehose:events")
}

func createGroupOf(t *testing.T, client *redis.Client, stream string) {
	t.Helper()
	if err := client.XGroupCreateMkStream(t.Context(), stream, slowGroup, "0").Err(); err != nil {
		t.Fatal(err)
	}
}

// wantAll checks that a group was given every entry of the corpus, in order.
func (c *corpus) wantAll(t *testing.T, got []event.Seq) {
	t.Helper()
	for i, w := range c.want {
		if i >= len(got) || got[i] != w.seq {
			t.Fatalf("the group was given %d entries, want %d; they differ from %d on", len(got), len(c.want), i)
		}
	}
	if len(got) != len(c.want) {
		t.Fatalf("the group was given %d entries, want %d", len(got), len(c.want))
	}
}

func retention(relayURL, redisURL, whenFull string, more ...string) []string {
	env := []string{"RELAY_URL=" + relayURL, "REDIS_URL=" + redisURL, "FHCTL_HEALTH_ADDR=127.0.0.1:0",
		"REDIS_MAX_STREAM_LEN=2000", "FHCTL_WHEN_FULL=" + whenFull}
	return append(env, more...)
}

// The fault table's "slow or abandoned group", --when-full block: a stalled
// consumer closes the socket and loses nothing; SIGTERM meanwhile is clean.
func TestBlockLosesNothingUnderAStalledConsumer(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 8000)
	server := redistest.Start(t)
	client := server.Client()
	createGroup(t, client)
	relay := c.serve(t, "")
	env := retention(relay.URL(), server.URL(), "block")
	p := start(t, env, "ingest", "--from=oldest", until(c.last))
	got := reads(t, client, 100)
	p.says("nothing is read from the relay", time.Minute)
	eventually(t, time.Minute, func() error {
		if n := relay.Conns(); n != 0 {
			return fmt.Errorf("%d connections to the relay are open", n)
		}
		if p.metric("fhctl_stream_full") != "1" || p.metric(`fhctl_alarms_total{alarm="stream_full"}`) != "1" {
			return errors.New("the metrics do not tell that the stream is full")
		}
		return nil
	})
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)

	p = start(t, env, "ingest", "--from=oldest", until(c.last))
	eventually(t, 2*time.Minute, func() error {
		got = append(got, reads(t, client, 500)...)
		if len(got) < len(c.want) {
			return fmt.Errorf("the group was given %d of %d entries:\n%s", len(got), len(c.want), lastOf(p.output()))
		}
		return nil
	})
	p.mustExit(0, time.Minute)
	c.wantAll(t, got)
	if n, err := client.Exists(t.Context(), "firehose:python_cursor:losses").Result(); n != 0 || err != nil {
		t.Errorf("there is a ledger of losses (%v)", err)
	}
}

// A group that nobody reads any more, or that is taken away, lets the stream go.
func TestBlockGoesOnWithoutTheAbandoned(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"timeout", "destroyed"} {
		t.Run(how, func(t *testing.T) {
			c := newCorpus(t, 4000)
			server := redistest.Start(t)
			client := server.Client()
			createGroup(t, client)
			relay := c.serve(t, "")
			wait := "1h"
			if how == "timeout" {
				wait = "500ms"
			}
			p := start(t, retention(relay.URL(), server.URL(), "block", "FHCTL_GROUP_TIMEOUT="+wait), "ingest", "--from=oldest", until(c.last))
			reads(t, client, 1)
			p.says("nothing is read from the relay", time.Minute)
			if how == "destroyed" {
				if err := client.XGroupDestroy(t.Context(), "firehose:events", slowGroup).Err(); err != nil {
					t.Fatal(err)
				}
			}
			p.mustExit(0, time.Minute)
			if cursor := cursorOf(t, client); cursor != c.last {
				t.Fatalf("cursor %s, want %s", cursor, c.last)
			}
			lost := ledger(t, client)
			if (how == "timeout") != (lost.Unread > 0) {
				t.Errorf("the ledger says %+v", lost)
			}
		})
	}
}

// ledger adds up the lines of the slow group.
func ledger(t *testing.T, client *redis.Client) (sum event.Trim) {
	t.Helper()
	rows, err := client.XRange(t.Context(), "firehose:python_cursor:losses", "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		number := func(name string) int64 {
			n, err := strconv.ParseInt(row.Values[name].(string), 10, 64)
			if err != nil || row.Values["group"] != slowGroup {
				t.Fatalf("line of the ledger: %v", row.Values)
			}
			return n
		}
		sum.Unread += number("unread")
		sum.Pending += number("pending")
		if i == 0 {
			sum.From = event.Seq(number("from"))
		}
		sum.To = event.Seq(number("to"))
	}
	return sum
}

// wantStatsOf checks that stream stats shows the ledger, to people and programs.
func wantStatsOf(t *testing.T, server *redistest.Server, want event.Trim) {
	t.Helper()
	print := func(args ...string) string {
		cmd := exec.Command(fhctlPath(t), append([]string{"stream", "stats"}, args...)...)
		cmd.Env = []string{"HOME=" + t.TempDir(), "REDIS_URL=" + server.URL()}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	var report stats.Report
	if err := json.Unmarshal([]byte(print("-o", "json")), &report); err != nil {
		t.Fatal(err)
	}
	var sum event.Trim
	for _, l := range report.Losses.Newest {
		sum.Unread += l.Unread
		sum.From = l.From
		sum.To = max(sum.To, l.To)
	}
	if sum != want {
		t.Errorf("stats say %+v, lost were %+v", sum, want)
	}
	if text := print(); !strings.Contains(text, "Lost to trimming firehose:python_cursor:losses") || !strings.Contains(text, "slow lost ") {
		t.Errorf("stats for people:\n%s", text)
	}
}

// --when-full trim: what a slow group was never given is what counters, log and
// ledger say it lost (G7).
func TestTrimTellsWhatASlowGroupLost(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 8000)
	server := redistest.Start(t)
	client := server.Client()
	createGroup(t, client)
	relay := c.serve(t, "", slow(8000))
	p := start(t, retention(relay.URL(), server.URL(), "trim"), "ingest", "--from=oldest")
	given := map[event.Seq]bool{}
	take := func(n int) {
		for _, seq := range reads(t, client, n) {
			given[seq] = true
		}
	}
	eventually(t, time.Minute, func() error { take(20); return c.reached(t, server) })
	for n := -1; n < len(given); {
		n = len(given)
		take(5000)
	}
	var want event.Trim
	for _, w := range c.want {
		if given[w.seq] {
			continue
		}
		want.Unread++
		if want.From == 0 {
			want.From = w.seq
		}
		want.To = w.seq
	}
	if want.Unread < 1000 {
		t.Fatalf("only %d entries were lost: nothing is proved", want.Unread)
	}
	if got := ledger(t, client); got != want {
		t.Errorf("the ledger says %+v, lost were %+v", got, want)
	}
	eventually(t, 10*time.Second, func() error {
		if got := p.metric(`fhctl_trimmed_unread_total{group="slow"}`); got != strconv.FormatInt(want.Unread, 10) {
			return fmt.Errorf("the counter says %s, want %d", got, want.Unread)
		}
		return nil
	})
	p.says("Trimmed entries that a group had not finished", time.Second)
	wantStatsOf(t, server, want)
	if n := strings.Count(p.output(), "begins to lose entries"); n != 1 {
		t.Errorf("%d alarms", n)
	}
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
}

// spilling is the environment for --when-full spill.
func spilling(t *testing.T, relayURL, redisURL string, more ...string) (env []string, dir string) {
	dir = filepath.Join(t.TempDir(), "spill")
	return retention(relayURL, redisURL, "spill:"+dir, more...), dir
}

// segments are the files of spilled frames.
func segments(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "0*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// onDisk waits until frames are spilled and nothing more comes from the relay.
func (c *corpus) onDisk(t *testing.T, p *program, relay *relayserver.Server) {
	t.Helper()
	p.says(`"metrics":"`, time.Minute)
	eventually(t, time.Minute, func() error {
		if n, _ := strconv.ParseFloat(p.metric("fhctl_spilled_frames_total"), 64); n == 0 || relay.Sent() < int64(len(c.want)) {
			return fmt.Errorf("%v frames spilled, %d sent:\n%s", n, relay.Sent(), lastOf(p.output()))
		}
		return nil
	})
}

// catchesUp reads for the slow group until it has everything, once each and in
// order, and nothing is left on disk.
func (c *corpus) catchesUp(t *testing.T, p *program, client *redis.Client, got []event.Seq, dir string) {
	t.Helper()
	eventually(t, 2*time.Minute, func() error {
		got = append(got, reads(t, client, 1000)...)
		if len(got) < len(c.want) {
			return fmt.Errorf("the group was given %d of %d entries:\n%s", len(got), len(c.want), lastOf(p.output()))
		}
		return nil
	})
	c.wantAll(t, got)
	eventually(t, time.Minute, func() error {
		if left := segments(t, dir); len(left) > 0 {
			return fmt.Errorf("left on disk: %v", left)
		}
		return nil
	})
}

// --when-full spill: under a stalled consumer events go to disk while the relay is
// read on, and flow back in order, each once; also with kill -9 in between.
func TestSpillFlowsBackExactly(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"in one run": 12_000, "killed": 20_000} {
		t.Run(name, func(t *testing.T) {
			killed := name == "killed"
			c := newCorpus(t, n)
			server := redistest.Start(t)
			client := server.Client()
			createGroup(t, client)
			relay := c.serve(t, "")
			env, dir := spilling(t, relay.URL(), server.URL())
			p := start(t, env, "ingest", "--from=oldest")
			got := reads(t, client, 10)
			c.onDisk(t, p, relay)
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the directory: %v, %v", info, err)
			}
			if killed {
				p.kill()
				p = start(t, env, "ingest", "--from=oldest")
				p.says("an earlier run spilled", time.Minute)
			}
			c.catchesUp(t, p, client, got, dir)
			p.signal(syscall.SIGTERM)
			p.mustExit(0, 10*time.Second)
		})
	}
}

// A Redis that hangs does not stop the reading either (G5: what waits is on disk).
func TestSpillWhileRedisHangs(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	c := newCorpus(t, 12_000)
	server := redistest.Start(t)
	relay := c.serve(t, "", slow(10_000))
	env, dir := spilling(t, relay.URL(), server.URL(), "REDIS_MAX_STREAM_LEN=0")
	p := start(t, env, "ingest", "--from=oldest", until(c.last))
	p.says("Processed 1,000 events", time.Minute)
	server.Pause()
	c.onDisk(t, p, relay)
	server.Continue()
	p.mustExit(0, time.Minute)
	c.check(t, server.Client(), c.last)
	if left := segments(t, dir); len(left) > 1 {
		t.Errorf("left on disk: %v", left) // the last may have been stored while stopping
	}
}

// Over its limit the stage reads no more, says so, and loses nothing; a second
// process is refused the directory.
func TestSpillOverItsLimit(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 12_000)
	server := redistest.Start(t)
	client := server.Client()
	createGroup(t, client)
	relay := c.serve(t, "")
	env, dir := spilling(t, relay.URL(), server.URL(), "FHCTL_SPILL_MAX_BYTES=1MiB")
	p := start(t, env, "ingest", "--from=oldest")
	got := reads(t, client, 10)
	p.says("The spill directory takes no more", time.Minute)
	if p.metric(`fhctl_alarms_total{alarm="spill_full"}`) != "1" {
		t.Error("no alarm was counted")
	}
	second := start(t, env, "ingest", "--from=oldest")
	second.mustExit(7, 20*time.Second)
	second.says("another process uses", 0)
	c.catchesUp(t, p, client, got, dir)
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
}

// G1, G2 for a pair that spills: the leader is killed with frames on its disk, the
// other takes over with a directory of its own and is killed as well while the first,
// started again, stands by over what it had left. Each event is stored once and in
// order, and what a dead one left on disk goes with its next start.
func TestSpillOfAPairIsExact(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 14_000)
	server := redistest.Start(t)
	client := server.Client()
	createGroup(t, client)
	relay := c.serve(t, "")
	var env [2][]string
	var dir [2]string
	for i := range env {
		env[i], dir[i] = spilling(t, relay.URL(), server.URL())
	}
	first := start(t, env[0], "ingest", "--from=oldest")
	got := reads(t, client, 10)
	c.onDisk(t, first, relay)
	second := start(t, env[1], "ingest", "--from=oldest")
	second.says("Standing by", time.Minute)
	first.kill()
	if len(segments(t, dir[0])) == 0 {
		t.Fatal("the leader left nothing on disk: nothing is proved")
	}
	second.says(`"msg":"Leading"`, time.Minute)
	first = start(t, env[0], "ingest", "--from=oldest")
	first.says("an earlier run spilled", time.Minute)
	first.says("Standing by", time.Minute)

	eventually(t, time.Minute, func() error {
		if len(got) < 2500 { // so that the second has stored some
			got = append(got, reads(t, client, 200)...)
		}
		if n, _ := strconv.ParseFloat(second.metric("fhctl_spilled_frames_total"), 64); n == 0 || len(got) < 2500 {
			return fmt.Errorf("%v frames spilled by the second, %d read:\n%s", n, len(got), lastOf(second.output()))
		}
		return nil
	})
	second.kill()
	first.says(`"msg":"Leading"`, time.Minute)
	c.catchesUp(t, first, client, got, dir[0])

	second = start(t, env[1], "ingest", "--from=oldest")
	second.says("Standing by", time.Minute)
	eventually(t, time.Minute, func() error {
		if left := segments(t, dir[1]); len(left) > 0 {
			return fmt.Errorf("what is stored stays on disk: %v", left)
		}
		return nil
	})
	for _, p := range []*program{second, first} {
		p.signal(syscall.SIGTERM)
		p.mustExit(0, 10*time.Second)
	}
}
