package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/stats"
)

func openSet(server *redistest.Server) func(context.Context, string) (*reader.Reader, error) {
	return func(ctx context.Context, cursorKey string) (*reader.Reader, error) {
		return reader.Open(ctx, reader.Config{Connection: conn.Connection{URL: server.URL()}, StreamKey: stream, CursorKey: cursorKey, Partitions: 2, OtherCount: true})
	}
}

// All is well: every check says so, and none is missing.
func TestAllIsWell(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	server := redistest.Start(t, "--appendonly", "yes", "--maxmemory", "1gb")
	plant(server)
	server.Do("xgroup", "create", stream, "workers", "0")
	server.Do("xreadgroup", "group", "workers", "a", "streams", stream, ">")
	targets, o := setup(server)
	checks := examined(t, targets, o)
	names := []string{"relay", "relay.events", "relay.clock", "settings.secret", "redis.transport", "redis", "group workers"}
	for _, name := range append(names, redisChecks...) {
		if name != "groups" { // there is one
			is(t, name, checks[name], OK, "", "")
		}
	}
	if len(checks) != len(names)+len(redisChecks)-1 {
		t.Errorf("%d checks: %s", len(checks), statuses(checks))
	}
	server.Do("config", "set", "maxmemory-policy", "allkeys-lru")
	server.Do("config", "set", "appendonly", "no")
	server.Do("xadd", stream+":dead", "*", "a", "b")
	o.Exposed, o.Cleartext = "fhctl.yaml is open", "the password travels"
	checks = examined(t, targets, o)
	is(t, "eviction", checks["redis.eviction"], Failure, "allkeys-lru may evict stream and cursor", fault.To("allow-eviction", ""))
	is(t, "persistence", checks["redis.persistence"], Warning, "no append-only file", "appendonly yes")
	is(t, "secret", checks["settings.secret"], Warning, "fhctl.yaml is open", "chmod 600")
	is(t, "transport", checks["redis.transport"], Warning, "the password travels", "rediss://")
}

func TestRelay(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	plant(server)
	for _, c := range []struct {
		name                string
		frames              [][]byte
		err                 error
		check               string
		status, detail, fix string
	}{
		{"answers", identities(0, 108, 109), nil, "relay", OK, "wss://relay.example answers within", ""},
		{"sends", identities(0, 108, 109), nil, "relay.events", OK, "2 events seen, newest seq 109", ""},
		{"one number far above the others", identities(0, 108, 109, 9_000_000_000), nil, "relay.events", OK, "newest seq 109", ""},
		{"cannot be reached", nil, fault.New(fault.Unreachable, errors.New("refused"), "check it"), "relay", Failure, "refused", "check it"},
		{"cannot be reached, without a hint", nil, errors.New("refused"), "relay", Failure, "refused", fault.To("wait", "")},
		{"not reached, nothing seen", nil, errors.New("refused"), "relay.events", Unknown, "was not reached", ""},
		{"sends nothing", nil, nil, "relay.events", Failure, "nothing came within 1m0s", fault.To("wait", "")},
		{"is no relay", [][]byte{{1}, {2}}, nil, "relay.events", Failure, "none of 2 frames is an event", fault.Remedy{Do: fault.WatchRelay}.With("limit", "3")},
		{"sends other things too", append(identities(0, 108), []byte{1}), nil, "relay.events", Warning, "1 of 2 frames are no events", fault.Remedy{Do: fault.WatchRelay}.String()},
		{"is of now", identities(0, 108), nil, "relay.clock", OK, "old", ""},
		{"lags", identities(time.Hour, 108), nil, "relay.clock", Warning, "the newest event is 60 min old", "NTP"},
		{"is ahead", identities(-time.Hour, 108), nil, "relay.clock", Warning, "in the future", "NTP"},
		{"tells no time", nil, nil, "relay.clock", Unknown, "no event told its time", ""},
	} {
		targets, o := setup(server)
		targets.Relay = relayOf(c.frames, c.err)
		is(t, c.name, examined(t, targets, o)[c.check], c.status, c.detail, c.fix)
	}
}

// What INFO tells, as a struct.
func TestVitals(t *testing.T) {
	t.Parallel()
	const gb = 1 << 30
	for _, c := range []struct {
		name                string
		look                func(*examination, *reader.Vitals)
		vitals              reader.Vitals
		status, detail, fix string
	}{
		{"version 4", (*examination).version, reader.Vitals{Version: "4.0.14"}, Failure, "has no streams", "upgrade"},
		{"version 6", (*examination).version, reader.Vitals{Version: "6.2.1"}, Warning, "works", "upgrade"},
		{"version 7", (*examination).version, reader.Vitals{Version: "7.0.0"}, OK, "7.0.0", ""},
		{"version 10", (*examination).version, reader.Vitals{Version: "10.1-rc"}, OK, "10.1-rc", ""},
		{"embedded", (*examination).version, reader.Vitals{Embedded: true}, OK, "embedded", ""},
		{"replica", (*examination).role, reader.Vitals{Role: "slave", Primary: "a:1"}, Failure, "a replica of a:1", "primary"},
		{"unguarded replicas", (*examination).role, reader.Vitals{Role: "master", Replicas: 2}, Warning, "no min-replicas-to-write", "min-replicas-to-write 1"},
		{"guarded replicas", (*examination).role, reader.Vitals{Role: "master", Replicas: 2, MinReplicas: true}, OK, "2 replicas", ""},
		{"noeviction", (*examination).eviction, reader.Vitals{Eviction: "noeviction"}, OK, "no key is evicted", ""},
		{"volatile", (*examination).eviction, reader.Vitals{Eviction: "volatile-lru"}, Warning, "stream and cursor stay", "noeviction"},
		{"any key", (*examination).eviction, reader.Vitals{Eviction: "allkeys-lru", EvictsAny: true}, Failure, "ingest refuses to start", fault.To("allow-eviction", "")},
		{"not told", (*examination).eviction, reader.Vitals{}, Unknown, "does not tell", ""},
		{"disk full", (*examination).persistence, reader.Vitals{AOF: true}, Failure, "could not write", "df -h"},
		{"no file", (*examination).persistence, reader.Vitals{Durable: true}, Warning, "no append-only file", "appendonly yes"},
		{"a file", (*examination).persistence, reader.Vitals{Durable: true, AOF: true}, OK, "append-only file", ""},
	} {
		e, last := noted(Options{})
		c.look(e, &c.vitals)
		is(t, c.name, last(), c.status, c.detail, c.fix)
	}
	e, last := noted(Options{AllowEviction: true})
	e.eviction(&reader.Vitals{Eviction: "allkeys-lru", EvictsAny: true})
	is(t, "allowed", last(), Warning, "lets ingest start", "noeviction")

	server := redistest.StartEmbedded(t)
	targets, _ := setup(server)
	r, err := targets.Redis.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for _, c := range []struct {
		used, most     int64
		status, detail string
	}{
		{gb, 0, Warning, "no maxmemory"}, {-1, gb, Unknown, "does not tell"}, {gb / 2, gb, OK, "used"},
		{gb / 10 * 9, gb, Warning, "used"}, {gb / 100 * 97, gb, Failure, "nothing can be stored once it is full"},
	} {
		e.memory(t.Context(), r, &reader.Vitals{UsedMemory: c.used, MaxMemory: c.most})
		is(t, c.detail, last(), c.status, c.detail, "")
	}
}

// The newest entries, as workers read them.
func TestEntries(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	for _, c := range []struct {
		fields []any
		detail string // "" is a sound one
	}{
		{[]any{"type", "account", "data", `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`, "seq", "110"}, ""},
		{[]any{"data", "{}", "type", "commit", "seq", "110"}, "not type, data and seq, in that order"},
		{[]any{"type", "info", "data", "{}", "seq", "110"}, `type "info" is none`},
		{[]any{"type", "account", "data", "{}", "seq", "x"}, `seq "x" is no number`},
		{[]any{"type", "account", "data", "{", "seq", "110"}, "its data is"},
		{[]any{"type", "commit", "data", "{}", "seq", "110"}, "without an ops array"},
		{[]any{"type", "account", "data", `{"active":true}`, "seq", "110"}, "which workers reject"},
	} {
		plant(server)
		server.Do(append([]any{"xadd", stream, "*"}, c.fields...)...)
		targets, o := setup(server)
		got := examined(t, targets, o)["stream.entries"]
		if c.detail == "" {
			is(t, "a sound entry", got, OK, "as workers read them", "")
			continue
		}
		is(t, c.detail, got, Failure, c.detail, fault.Remedy{Do: fault.Verify}.String())
	}
}

func TestStreamAndGroups(t *testing.T) {
	t.Parallel()
	n := func(n int64) *int64 { return &n }
	f := func(s float64) *float64 { return &s }
	report := func(change func(*stats.Report)) *stats.Report {
		r := &stats.Report{}
		r.Stream.Key, r.Stream.Exists, r.Stream.Length, r.Stream.TrimAt = stream, true, 4, n(1000)
		r.Stream.First = &stats.Entry{ID: "5-0"}
		if change != nil {
			change(r)
		}
		return r
	}
	for _, c := range []struct {
		report              *stats.Report
		status, detail, fix string
	}{
		{report(nil), OK, "holds 4 entries, trimmed at about 1,000", ""},
		{report(func(r *stats.Report) { r.Stream.Exists = false }), Warning, "does not exist yet", "start ingest"},
		{report(func(r *stats.Report) { r.Stream.TrimAt = nil }), Warning, "is never trimmed", "max-stream-len"},
	} {
		e, last := noted(Options{StreamKey: stream})
		e.stream(c.report)
		is(t, c.detail, last(), c.status, c.detail, c.fix)
	}
	e, last := noted(Options{StreamKey: stream})
	e.groups(report(nil))
	is(t, "no group", last(), Warning, "nobody reads", "XGROUP CREATE firehose:events firehose-processors 0")
	e.groups(report(func(r *stats.Report) {
		r.Groups, r.DeadLetters.Key, r.DeadLetters.Length = []stats.Group{{Name: "g"}}, "dead", n(2)
	}))
	is(t, "dead letters", last(), Warning, "workers gave up on 2 entries", "XREVRANGE dead")
	awake, asleep := []stats.Consumer{{Name: "c", IdleSeconds: f(1)}}, []stats.Consumer{{Name: "c", IdleSeconds: f(100)}}
	for _, c := range []struct {
		group               stats.Group
		status, detail, fix string
	}{
		{stats.Group{Lag: 2, LagExact: true, Consumers: awake, LastDelivered: "6-0"}, OK, "2 behind, 0 pending, 1 consumer", ""},
		{stats.Group{LostUnread: true}, Failure, "were trimmed before it had finished", fault.Remedy{Do: fault.MoveCursor}.String()},
		{stats.Group{LostPending: true}, Failure, "were trimmed", "add workers"},
		{stats.Group{LastDelivered: "6-0"}, Warning, "made at $ instead of 0", "SETID firehose:events g 0"},
		{stats.Group{LastDelivered: "0-0"}, OK, "0 behind", ""},
		{stats.Group{Consumers: awake, Room: &stats.Room{Entries: 100}}, Warning, "trimming reaches it in 100 entries, or - at this rate", fault.Remedy{Do: fault.Measure}.With("watch", "5s")},
		{stats.Group{Consumers: awake, Room: &stats.Room{Entries: 100, Seconds: f(90)}}, Warning, "or 90 s at this rate", ""},
		{stats.Group{Lag: 3, LagExact: true, Consumers: asleep, LastDelivered: "6-0"}, Warning, "no consumer asked for a minute", "XGROUP DESTROY firehose:events g"},
		{stats.Group{MissingIn: []int{2}}, Warning, "does not exist in partition 2", "'firehose:events:{2}' g 0"},
	} {
		c.group.Name = "g"
		e.group(&c.group, report(nil))
		got := last()
		is(t, c.detail, got, c.status, c.detail, c.fix)
		if got.Name != "group g" {
			t.Errorf("the check is named %q", got.Name)
		}
	}
}

// A clock that differs misleads; a small difference does not.
func TestClock(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	targets, _ := setup(server)
	r, err := targets.Redis.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for off, want := range map[time.Duration]string{0: OK, time.Second: OK, time.Minute: Warning, -time.Hour: Warning} {
		e, last := noted(Options{})
		e.Now = func() time.Time { return time.Now().Add(off) }
		if err := e.clock(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		c := last()
		if c.Status != want || want == Warning && !strings.Contains(c.Detail, "from this machine's") {
			t.Errorf("%s: %+v", off, c)
		}
	}
}
