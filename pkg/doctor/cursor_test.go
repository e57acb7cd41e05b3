package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// What is made of the cursor, by what lies in Redis and what the relay sends.
func TestCursor(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	do := server.Do
	stopped := func() { do("set", status, `{"connected":false,"writer":"fhctl/a","stopped":true}`) }
	for _, c := range []struct {
		name        string
		before      func()
		change      func(*Targets, *Options)
		status      string
		detail, fix string
	}{
		{"as it was left", nil, nil, OK, "109 of relay.example", ""},
		{"nothing at all", func() { do("flushall") }, nil, OK, "none yet", ""},
		{"with the bridge's", func() { do("del", side) }, func(t *Targets, _ *Options) { t.Relay.Identity = "bsky.network" }, OK, "109 of bsky.network", ""},
		{"behind events that yield none", func() { do("set", key, 120); note(server, 109, 120, "") }, nil, OK, "120 of relay.example", ""},
		{"a simulator behind it", nil, func(t *Targets, _ *Options) { t.Relay = relayOf(identities(0, 5), nil); t.Relay.Bundled = true }, OK, "109 of relay.example", ""},

		{"no seq", func() { do("set", key, "garbage") }, nil, Failure, "no seq: ingest stops", fault.CursorTo("SEQ")},
		{"gone, with a note", func() { do("del", key) }, nil, Warning, "goes on where it was left, at 109", fault.CursorTo("live")},
		{"gone, and something appended", func() { do("del", key); add(server, 300) }, nil, Failure, "the stream does not end where fhctl left it", "with the setting \"relay\" at relay.example"},
		{"gone", func() { do("del", key, side) }, nil, Failure, "would start live and leave a gap", fault.CursorTo("109")},
		{"gone, with a stranger's entries", func() { do("del", key, side); do("xadd", stream, "*", "data", "{}", "seq", 5) }, nil, Failure, "the newest of something else", fault.Remedy{Do: fault.Verify}.String()},
		{"removed on purpose", func() {
			do("del", key, side)
			do("xadd", key+":history", "*", "before", "109", "after", "", "how", "live", "epoch", 2)
		}, nil, Warning, fault.Remedy{Do: fault.Moved}.String(), ""},
		{"moved by a stranger", func() { do("set", key, 105) }, nil, Failure, "is not where fhctl left it", fault.CursorTo("live")},
		{"behind, by a stranger that appended", func() { add(server, 300) }, nil, Failure, "109 is behind the stream, which ends with 300", "stop the other writer"},
		{"behind, killed bridge", func() { do("del", side); add(server, 300) }, func(t *Targets, _ *Options) { t.Relay.Identity = "bsky.network" }, Warning, "is behind the stream", "start ingest"},
		{"behind on purpose", func() {
			do("set", key, 103)
			note(server, 0, 0, `,"set":"103"`)
			do("xadd", key+":history", "*", "before", "109", "after", "103", "how", "103", "epoch", 1)
		}, nil, Warning, "is stored again", fault.Remedy{Do: fault.UndoMove}.String()},
		{"where it was left, with older entries at the end", func() { add(server, 90) }, nil, Failure, "where fhctl left it, but the stream ends with 90", fault.Remedy{Do: fault.Verify}.With("from", "1h")},
		{"ahead of the stream", func() {
			do("set", key, 150)
			do("set", side, `{"relay":"relay.example","filter":"none","partitions":1,"epoch":1,"stored":109}`)
		}, nil, Failure, "150 is ahead of the stream, which ends with 109", fault.CursorTo("109")},
		{"ahead of the relay", func() { do("set", key, 900_000); do("del", stream); note(server, 0, 900_000, "") }, nil, Failure, "is ahead of the relay, whose newest event is 109", fault.CursorTo("-10m")},
		{"the stream emptied", func() { do("del", stream) }, nil, Failure, "should end with 109, and is empty", fault.CursorTo("SEQ")},
		{"emptied, all acknowledged", func() { do("del", stream); note(server, 109, 109, `,"floor":109`) }, nil, Warning, "every group had acknowledged", "what deletes entries"},
		{"emptied, not all acknowledged", func() { do("del", stream); note(server, 109, 109, `,"floor":101`) }, nil, Failure, "from 101", "start ingest"},

		{"another relay's", nil, func(t *Targets, _ *Options) { t.Relay.Identity = "other.example" }, Failure, "counts the events of relay.example, and these settings read other.example", fault.CursorTo("live")},
		{"the bridge's", func() { do("del", side) }, nil, Failure, "the Python bridge left 109", fault.CursorTo("live")},
		{"nobody's", func() { do("set", side, "x") }, nil, Failure, "is not readable", "with the setting \"relay\" at HOST"},
		{"other filters", nil, func(_ *Targets, o *Options) { o.Filter = "f2" }, Failure, "belongs to other filters (none)", "docs/control.md"},
		{"of a set", func() { do("set", side, `{"relay":"relay.example","filter":"none","partitions":4,"epoch":1}`) }, nil, Failure, "a set of 4 partitions", fault.To("partitions", "4")},
		{"beside a set's", func() {
			do("del", key, side, stream)
			do("set", key+":{0}", 7)
			do("set", key+":{0}:meta", `{"relay":"relay.example","partitions":2}`)
		}, nil, Failure, `stands at "7"`, fault.To("from-partitions", "2")},
		{"a list", func() { do("del", key); do("lpush", key, "x") }, nil, Failure, "read cursor", ""},
		{"of a copy", func() { do("set", "copy", 109) }, copyOf("copy"), OK, "of a replay (copy)", ""},
		{"of a copy, behind it", func() { do("set", "copy", 104) }, copyOf("copy"), Failure, "is behind the copy, which ends with 109", fault.To("resume", "")},
		{"of a copy, gone", nil, copyOf("copy"), Failure, "copy is gone", ""},
		{"of a copy, no seq", func() { do("set", "copy", "x") }, copyOf("copy"), Failure, "no seq: a replay does not go on", ""},
	} {
		plant(server)
		stopped()
		if c.before != nil {
			c.before()
		}
		targets, o := setup(server)
		if c.change != nil {
			c.change(&targets, &o)
		}
		is(t, c.name, examined(t, targets, o)["cursor"], c.status, c.detail, c.fix)
	}
}

func copyOf(name string) func(*Targets, *Options) {
	return func(t *Targets, _ *Options) {
		t.Redis.CopyCursor = func(context.Context, *reader.Reader) string { return name }
	}
}

// An old cursor, by what the relay can still send.
func TestWindow(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	plant(server)
	for age, want := range map[time.Duration]string{time.Minute: OK, 40 * time.Minute: OK, 50 * time.Minute: Warning, 90 * time.Minute: Failure} {
		at := time.Now().Add(-age).UTC().Format(time.RFC3339)
		note(server, 109, 109, `,"eventTime":"`+at+`"`)
		targets, o := setup(server)
		o.Stats.Window, o.Stats.WindowAssumed = time.Hour, true
		c := examined(t, targets, o)["cursor"]
		is(t, age.String(), c, want, "", "")
		if want != OK && !strings.Contains(c.Detail, fault.To("relay-window", "")) {
			t.Errorf("it is not said that the window is assumed: %q", c.Detail)
		}
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		beat                dashboard.Heartbeat
		status, detail, fix string
	}{
		{dashboard.Heartbeat{}, OK, "none at work", ""},
		{dashboard.Heartbeat{Present: true, Connected: true}, Failure, "something other than fhctl", "repeat in 10 s"},
		{dashboard.Heartbeat{Present: true, Stopped: true, Writer: "fhctl/a"}, OK, "stopped cleanly", ""},
		{dashboard.Heartbeat{Present: true, Connected: true, Writer: "other"}, Failure, "other writes", "find out what it is"},
		{dashboard.Heartbeat{Present: true, Writer: "fhctl/a", Held: "future_cursor"}, Warning, "waits for an operator (future_cursor)", fault.Remedy{Do: fault.MoveCursor}.String()},
		{dashboard.Heartbeat{Present: true, Writer: "fhctl/a", URL: "wss://x", TTL: 3 * time.Second}, Warning, "not connected to wss://x", "repeat in 3 s"},
		{dashboard.Heartbeat{Present: true, Connected: true, Writer: "fhctl/a", URL: "wss://x"}, OK, "is at work, reading wss://x", ""},
	} {
		e, last := noted(Options{})
		e.writer(c.beat)
		is(t, c.detail, last(), c.status, c.detail, c.fix)
	}
}

// The cursors of a set, each beside its own stream.
func TestSet(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	part := func(name string, i string) string { return name + ":{" + i + "}" }
	check := func() Check {
		t.Helper()
		targets, o := setup(server)
		o.Partitions = 2
		targets.Redis.Open = openSet(server)
		return examined(t, targets, o)["cursor"]
	}
	for _, i := range []string{"0", "1"} {
		server.Do("xadd", part(stream, i), "*", "type", "account", "data", `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`, "seq", 100)
		server.Do("set", part(key, i), 109)
		server.Do("set", part(key, i)+":meta", `{"relay":"relay.example","filter":"none","partitions":2,"stored":100,"upto":109,"epoch":1}`)
	}
	is(t, "sound", check(), OK, "109 of relay.example", "")
	server.Do("set", part(key, "1"), 108)
	is(t, "one lower, as after a crash", check(), OK, "108 of relay.example", "")
	server.Do("xadd", part(stream, "1"), "*", "type", "account", "data", `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`, "seq", 300)
	is(t, "something appended", check(), Failure, "that of {1}, 108, is behind its stream, which ends with 300", fault.CursorTo("108")+" with "+fault.To("partitions", "2"))
	server.Do("set", part(key, "1")+":meta", `{"relay":"relay.example","filter":"none","partitions":2,"epoch":7}`)
	is(t, "moved apart", check(), Failure, "{0} 1 times, {1} 7 times", "move all of them")
	server.Do("del", part(key, "0"), part(key, "1"), part(key, "0")+":meta", part(key, "1")+":meta")
	server.Do("set", key, 5)
	is(t, "one stream's beside it", check(), Failure, `stands at "5"`, fault.To("from-partitions", "1"))
}

// The end of the context is an error, and so are settings that cannot work; who has seen
// enough stops the series.
func TestExamineEnds(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	plant(server)
	targets, o := setup(server)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	for c, err := range Examine(ctx, targets, o) {
		if !errors.Is(err, why) || c.Name != "" {
			t.Errorf("%+v, %v", c, err)
		}
	}
	seen := 0
	for _, err := range Examine(t.Context(), targets, o) {
		if seen++; seen == 5 || err != nil {
			break
		}
	}
	if seen != 5 {
		t.Errorf("%d checks before the end", seen)
	}
	targets.Redis.Open = func(context.Context, string) (*reader.Reader, error) {
		return nil, fault.New(fault.Usage, errors.New("no such form"), "")
	}
	var last error
	for _, err := range Examine(t.Context(), targets, o) {
		last = err
	}
	if fault.ClassOf(last) != fault.Usage {
		t.Error(last)
	}
	targets.Redis.Open = func(context.Context, string) (*reader.Reader, error) {
		return nil, fault.New(fault.Unreachable, errors.New("not there"), "start it")
	}
	checks := examined(t, targets, o)
	is(t, "redis", checks["redis"], Failure, "not there", "start it")
	for _, name := range redisChecks {
		is(t, name, checks[name], Unknown, "Redis was not reached", "")
	}
}
