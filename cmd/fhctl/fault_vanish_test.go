package main

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// Fault table, stream deleted around a restart: kill -9, the stream goes, and the
// next run reads again what not every group had acknowledged: all of the relay's
// log above that is there once, in order.
func TestStreamVanishesBetweenKillAndRestart(t *testing.T) {
	t.Parallel()
	for name, vanish := range map[string]func(*trial){
		"deleted": do("del", "firehose:events"),
		"trimmed": do("xtrim", "firehose:events", "maxlen", 0),
		"renamed": do("rename", "firehose:events", "elsewhere"),
		"made anew by a consumer": func(tr *trial) {
			tr.server.Do("del", "firehose:events")
			tr.server.Do("xgroup", "create", "firehose:events", "workers", "0", "mkstream")
		},
		"deleted, and Redis restarted": func(tr *trial) {
			tr.server.Do("del", "firehose:events")
			tr.server.Do("save")
			tr.server.Kill()
			tr.server.Restart()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t)
			tr.run()
			tr.flow(300)
			for group, n := range map[string]int{"workers": 120, "lagging": 70, "quick": 300} {
				tr.server.Do("xgroup", "create", "firehose:events", group, "0")
				tr.read(group, n)
			}
			tr.floorKnown()
			tr.p.kill()
			vanish(tr)
			tr.run()
			tr.flow(100)
			tr.alarmed("cursor_missing")
			tr.p.says("is read again", time.Minute)
			tr.p.signal(syscall.SIGTERM)
			tr.p.mustExit(0, 10*time.Second)
			tr.from(70)
		})
	}
}

// … again and again: what the first run stored and nobody read outlives each of them.
func TestStreamVanishesAgainAndAgain(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.acknowledged(200)
	for range 3 {
		tr.p.kill()
		tr.server.Do("del", "firehose:events")
		tr.run()
		tr.stored()
		tr.open(50)
		tr.p.kill()
		tr.server.Do("del", "firehose:events")
		tr.run()
		tr.flow(50)
		tr.server.Do("del", "firehose:events")
		tr.flow(10)
	}
	tr.finish()
}

// … together with the leader's death: whoever stood by reads it again.
func TestStreamVanishesWithTheLeader(t *testing.T) {
	t.Parallel()
	for name, flush := range map[string][]any{"DEL": {"del", "firehose:events"}, "FLUSHALL": {"flushall"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t)
			tr.run()
			leader := tr.p
			tr.flow(300)
			tr.server.Do("xgroup", "create", "firehose:events", "workers", "0")
			tr.read("workers", 120)
			tr.floorKnown()
			tr.run()
			tr.p.says("Standing by", time.Minute)
			leader.signal(redistest.SignalStop) // it does not notice any more
			tr.server.Do(flush...)
			leader.kill()
			tr.flow(100)
			tr.alarmed("cursor_missing")
			tr.p.signal(syscall.SIGTERM)
			tr.p.mustExit(0, 10*time.Second)
			tr.from(120)
		})
	}
}

// Where an older version left no note of what groups had acknowledged, what is gone is
// an alarm, a line of the ledger and an error of verify, until somebody takes the line
// out; nothing claims to go back.
func TestStreamVanishesBesideAnOlderNote(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(200)
	tr.p.signal(syscall.SIGTERM)
	tr.p.mustExit(0, 10*time.Second)
	side := tr.server.Do("get", "firehose:python_cursor:meta").(string)
	tr.server.Do("set", "firehose:python_cursor:meta", regexp.MustCompile(`"floor":\d+,`).ReplaceAllString(side, ""))
	tr.server.Do("del", "firehose:events")
	tr.run()
	tr.flow(100)
	tr.alarmed("entries_removed")
	tr.p.signal(syscall.SIGTERM)
	tr.p.mustExit(0, 10*time.Second)
	if strings.Contains(tr.p.output(), "going back") {
		t.Error("it says that it goes back")
	}
	out, _, code := verified(t, tr.server.URL())
	if gone := fmt.Sprintf("up to seq %d was removed and is gone", tr.want[199].seq); code != 3 || !strings.Contains(out, "entries-gone") || !strings.Contains(out, gone) {
		t.Fatalf("fhctl verify exits %d:\n%s", code, out)
	}
	tr.server.Do("del", "firehose:python_cursor:losses")
	if out, _, code := verified(t, tr.server.URL()); code != 0 {
		t.Fatalf("fhctl verify exits %d:\n%s", code, out)
	}
	tr.from(200)
}

// Fault table, entries removed while nobody stored: the newest are read again, and
// the alarm says which.
func TestNewestEntriesRemovedWhileNobodyRan(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.acknowledged(300)
	tr.p.signal(syscall.SIGTERM)
	tr.p.mustExit(0, 10*time.Second)
	rows := tr.server.Client().XRevRangeN(tr.Context(), "firehose:events", "+", "-", 50).Val()
	for _, row := range rows {
		tr.server.Do("xdel", "firehose:events", row.ID)
	}
	tr.run()
	tr.p.says(fmt.Sprintf("seq %s to %s", tr.want[249].seq+1, tr.want[299].seq), time.Minute)
	tr.flow(100)
	tr.alarmed("entries_removed")
	tr.p.signal(syscall.SIGTERM)
	tr.p.mustExit(0, 10*time.Second)
	tr.check(tr.T, tr.server.Client(), tr.now())
}

// Fault table, cursor deleted while nobody runs: it is restored from beside it, not
// live, unless the start asks for another place.
func TestCursorDeletedWhileNobodyRan(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(200)
	tr.p.kill()
	tr.server.Do("del", "firehose:python_cursor")
	tr.open(100)
	tr.run()
	tr.stored()
	tr.alarmed("cursor_missing")
	tr.finish()
}

// Contract §7.2: fhctl on some relay, the bridge on its own, fhctl again: the second
// cut-over is refused as the first one was, and doctor says so before.
func TestSecondCutOverOnAnotherRelayIsRefused(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(100)
	tr.p.signal(syscall.SIGTERM)
	tr.p.mustExit(0, 10*time.Second)
	tr.server.Do("set", "firehose:python_cursor", "7000000123")
	tr.server.Do("xadd", "firehose:events", "*", "type", "account", "data", `{"did":"did:plc:x","active":true}`, "seq", "7000000124")
	if out := tr.examined(); !strings.Contains(out, script.BridgeRelay) || !strings.Contains(out, "ingest stops") {
		t.Errorf("doctor does not know:\n%s", out)
	}
	tr.run()
	tr.p.mustExit(6, time.Minute)
	tr.p.says("hint: ", 0)
	tr.p.says(script.BridgeRelay, 0)
	if got := cursorOf(t, tr.server.Client()); got != event.Seq(7000000123) {
		t.Errorf("the cursor became %s", got)
	}
}

// examined is what fhctl doctor prints of the trial's relay and Redis.
func (tr *trial) examined() string {
	tr.Helper()
	cmd := exec.Command(fhctlPath(tr.T), "doctor", "--wait=2s")
	cmd.Env = append(environment(tr.relay.URL(), tr.url), "HOME="+tr.TempDir())
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tr.Fatal(err)
	}
	return string(out)
}
