package cursor_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/cursor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

const (
	stream = "firehose:events"
	key    = "firehose:python_cursor"
	side   = key + ":meta"
	ours   = `{"relay":"relay.example","filter":"f1","partitions":1,"from":"oldest","epoch":4}`
)

// Four events were stored, one second after another, and ten seconds ago by now.
var (
	first = time.UnixMilli(1767323045000)
	now   = first.Add(13 * time.Second)
)

func open(t *testing.T, server *redistest.Server, c reader.Config) *reader.Reader {
	t.Helper()
	c.Connection = conn.Connection{URL: server.URL()}
	r, err := reader.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// planted is a stream with a cursor at its end.
func planted(t *testing.T, server *redistest.Server) *reader.Reader {
	t.Helper()
	server.Do("flushall")
	for i, seq := range []int{101, 103, 104, 109} {
		server.Do("xadd", stream, fmt.Sprintf("%d-0", first.UnixMilli()+int64(i)*1000), "type", "commit", "data", "{}", "seq", seq)
	}
	server.Do("set", key, 109)
	server.Do("set", side, ours)
	return open(t, server, reader.Config{})
}

func at(text string) cursor.Options {
	p, err := place.Parse(text, now)
	if err != nil {
		panic(err)
	}
	return cursor.Options{Place: p, Configured: "relay.example", Asked: text, Now: now}
}

func with(o cursor.Options, change func(*cursor.Options)) cursor.Options {
	change(&o)
	return o
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// Where each way to name a place leads, and what that repeats and skips.
func TestPlans(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	bridges := func() { server.Do("del", side) }
	for _, c := range []struct {
		name           string
		before         func() // what else is planted
		options        cursor.Options
		to             any // nil is no cursor
		relay          any
		repeats, skips any
		found          string // a part of it
		noop           bool
	}{
		{"seq", nil, at("103"), event.Seq(103), "relay.example", int64(2), int64(0), "", false},
		{"ahead", nil, at("250"), event.Seq(250), "relay.example", int64(0), int64(141), "", false},
		{"where it is", nil, with(at("109"), func(o *cursor.Options) { o.Filter = "f1" }), event.Seq(109), "relay.example", int64(0), int64(0), "", true},
		{"oldest", nil, at("oldest"), event.Seq(0), "relay.example", int64(4), int64(0), "all that the relay still holds", false},
		{"newest", nil, at("newest"), event.Seq(109), "relay.example", int64(0), int64(0), "the last event stored up to now", true},
		{"live", nil, at("live"), nil, nil, nil, nil, "starts live", false},
		{"time", nil, at("12s"), event.Seq(101), "relay.example", int64(3), int64(0), "it was stored 2026-01-02 03:04:05Z, 13 s ago", false},
		{"the first moment", nil, at("13s"), event.Seq(100), "relay.example", int64(4), int64(0), "before the first event", false},
		{"id", nil, at("1767323047000-0"), event.Seq(104), "relay.example", int64(1), int64(0), "before the entry after 1767323047000-0", false},
		{"another key", func() { server.Do("set", "old", 104) }, cursor.Options{FromKey: "old", Configured: "relay.example"},
			event.Seq(104), "bsky.network", nil, nil, "the value of old, which is bsky.network's", false},
		{"another relay's seq", nil, with(at("5"), func(o *cursor.Options) { o.Relay = "other.example" }),
			event.Seq(5), "other.example", nil, nil, "", false},
		{"no cursor yet", func() { server.Do("del", key, side) }, at("103"), event.Seq(103), "relay.example", int64(2), nil, "", false},
		{"no seq there", func() { server.Do("set", key, "garbage"); bridges() }, at("103"), event.Seq(103), "relay.example", int64(2), nil, "", false},
		// To say whose a bridge's cursor is: what that one stored behind it is not stored again.
		{"adopting", func() { bridges(); server.Do("set", key, 104) }, at("104"), event.Seq(104), "bsky.network", int64(0), int64(0), "", false},
		{"a bridge's cursor elsewhere", bridges, at("103"), event.Seq(103), "bsky.network", int64(2), int64(0), "", false},
	} {
		r := planted(t, server)
		if c.before != nil {
			c.before()
		}
		p, err := cursor.MakePlan(t.Context(), r, c.options)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := deref(p.After.Cursor); got != c.to || p.Remove != (c.to == nil) {
			t.Errorf("%s leads to %v (removed: %v), want %v", c.name, got, p.Remove, c.to)
		}
		if got := []any{deref(p.After.Relay), deref(p.Repeats), deref(p.Skips)}; got[0] != c.relay || got[1] != c.repeats || got[2] != c.skips {
			t.Errorf("%s: relay, repeats and skips are %v, want %v %v %v", c.name, got, c.relay, c.repeats, c.skips)
		}
		if found, _ := deref(p.Found).(string); !strings.Contains(found, c.found) || c.found == "" && found != "" && c.options.FromKey == "" {
			t.Errorf("%s was found as %q, want %q", c.name, found, c.found)
		}
		if p.Noop() != c.noop {
			t.Errorf("%s: nothing to do is %v", c.name, p.Noop())
		}
		if got := server.Do("get", side); c.before == nil && got != ours {
			t.Errorf("%s: planning has changed the side key to %v", c.name, got)
		}
	}
}

// What is surprising later is said now.
func TestWarnings(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	r := planted(t, server)
	for text, want := range map[string]string{"250": "above 109", "50": "before the first stored event", "104": ""} {
		p, err := cursor.MakePlan(t.Context(), r, at(text))
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Join(p.Warnings, "; "); want == "" && said != "" || !strings.Contains(said, want) {
			t.Errorf("%s: warned of %q, want %q", text, said, want)
		}
	}
}

// What no plan is made for, with the class of the refusal, and that nothing is changed.
func TestRefusals(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	status := func(text string) func() {
		return func() { server.Do("set", "firehose:status", text, "ex", 10) }
	}
	running := status(`{"connected":true,"url":"wss://relay.example","writer":"fhctl/host-1"}`)
	force := func(o *cursor.Options) { o.Force = true }
	for _, c := range []struct {
		name    string
		before  func()
		options cursor.Options
		class   fault.Class
		said    string // in the error, or its hint
	}{
		{"nothing asked", nil, cursor.Options{}, fault.Usage, "0 places"},
		{"two places", nil, with(at("103"), func(o *cursor.Options) { o.Undo = true }), fault.Usage, "2 places"},
		{"saved", nil, at("saved"), fault.Usage, "stands already"},
		{"live of a relay", nil, with(at("live"), func(o *cursor.Options) { o.Relay = "x" }), fault.Usage, "relay has no place"},
		{"a value that is none", nil, with(at("103"), func(o *cursor.Options) { o.IfValue = "x" }), fault.Usage, "is not a seq"},
		{"a time of another relay", nil, with(at("12s"), func(o *cursor.Options) { o.Relay = "other.example" }), fault.Usage, "relay.example's, not other.example's"},

		{"another relay was chosen", nil, with(at("103"), func(o *cursor.Options) { o.Configured, o.Chosen = "other.example", true }), fault.Cursor, "counts the events of relay.example"},
		{"before the stream", nil, at("2026-01-01T00:00:00Z"), fault.Cursor, "does not go back"},
		{"no stream", func() { server.Do("del", stream) }, at("10m"), fault.Cursor, "is empty"},
		{"entries without seq", func() {
			server.Do("del", stream)
			server.Do("xadd", stream, "5-0", "type", "account", "data", "{}")
		}, at("newest"), fault.Data, "have no seq"},
		{"no such key", nil, cursor.Options{FromKey: "nothing"}, fault.Cursor, "no cursor in nothing"},
		{"a key without seq", func() { server.Do("set", "bad", "x") }, cursor.Options{FromKey: "bad"}, fault.Cursor, "not a seq"},
		{"a key of another type", func() { server.Do("lpush", "list", "x") }, cursor.Options{FromKey: "list"}, fault.Data, ""},
		{"nothing to undo", nil, cursor.Options{Undo: true}, fault.Cursor, "no change that could be undone"},

		{"another value", nil, with(at("103"), func(o *cursor.Options) { o.IfValue = "104" }), fault.Conflict, "is 109, not 104"},
		{"no value expected", nil, with(at("103"), func(o *cursor.Options) { o.IfValue = "none" }), fault.Conflict, "not none"},
		{"a writer", running, at("103"), fault.Conflict, "stop it first"},
		{"the bridge", status(`{"connected":true}`), at("live"), fault.Conflict, "one that is not fhctl"},
		{"live beside a writer", running, with(at("live"), force), fault.Conflict, "restores the cursor it had"},
		{"a writer without relay", status(`{"connected":false,"writer":"fhctl/a"}`), at("103"), fault.Conflict, "every few seconds"},
		{"live beside a held writer", status(`{"connected":false,"writer":"fhctl/a","held":"future_cursor"}`), with(at("live"), force), fault.Conflict, "one that is held restores"},
	} {
		r := planted(t, server)
		if c.before != nil {
			c.before()
		}
		_, err := cursor.MakePlan(t.Context(), r, c.options)
		said := fmt.Sprint(err, "; ", fault.HintOf(err))
		if err == nil || fault.ClassOf(err) != c.class || !strings.Contains(said, c.said) {
			t.Errorf("%s: %v, %q; want %v, %q", c.name, fault.ClassOf(err), said, c.class, c.said)
		}
		if got := server.Do("get", key); got != "109" {
			t.Errorf("%s: the cursor is %v", c.name, got)
		}
	}
}

// What a writer's heartbeat does not forbid.
func TestNoObstacle(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	for status, o := range map[string]cursor.Options{
		`{"connected":true,"writer":"fhctl/a"}`:                          with(at("103"), func(o *cursor.Options) { o.Force = true }),
		`{"connected":true,"writer":"fhctl/b"}`:                          with(at("live"), func(o *cursor.Options) { o.DryRun = true }),
		`{"connected":false,"writer":"fhctl/c","stopped":true}`:          at("live"),
		`{"connected":false,"writer":"fhctl/d","held":"future_cursor"}`:  at("103"),
		`{"connected":false,"writer":"fhctl/e","maxStreamLen":"broken"}`: with(at("103"), func(o *cursor.Options) { o.Force, o.IfValue = true, "109" }),
	} {
		r := planted(t, server)
		server.Do("set", "firehose:status", status, "ex", 10)
		if p, err := cursor.MakePlan(t.Context(), r, o); err != nil || p.Writer == nil {
			t.Errorf("%s: %v", status, err)
		}
	}
}

// A plan is carried out in one step with side key and history, and taken back.
func TestApplyAndUndo(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		r := planted(t, server)
		apply := func(o cursor.Options) *cursor.Plan {
			t.Helper()
			o.By = "op@host"
			p, err := cursor.MakePlan(t.Context(), r, o)
			if err == nil {
				err = p.Apply(t.Context(), r)
			}
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		is := func(want any) {
			t.Helper()
			if got := server.Do("get", key); got != want {
				t.Errorf("the cursor is %v, want %v", got, want)
			}
		}
		if p := apply(with(at("103"), func(o *cursor.Options) { o.DryRun = true })); p.Moved {
			t.Error("a dry run moved the cursor")
		}
		is("109")
		if p := apply(at("103")); !p.Moved {
			t.Error("not moved")
		}
		is("103")
		if p := apply(at("103")); p.Moved || !p.Noop() {
			t.Error("moved to where it is")
		}
		apply(with(at("104"), func(o *cursor.Options) { o.IfValue = "103" }))
		apply(at("live"))
		if n := server.Do("exists", key, side); n != int64(0) {
			t.Errorf("%v keys are left beside a removed cursor", n)
		}
		for _, want := range []string{"104", "103", "109"} {
			if p := apply(cursor.Options{Undo: true, Asked: "undo"}); p.Undoes == "" || *p.After.Relay != "relay.example" {
				t.Errorf("taken back: %+v", p)
			}
			is(want)
		}
		if got := fmt.Sprint(server.Do("get", side)); !strings.Contains(got, `"relay":"relay.example","filter":"f1"`) {
			t.Errorf("the side key is %s", got)
		}
		report, err := cursor.History(t.Context(), r)
		if err != nil || report.Key != key+":history" || len(report.Changes) != 6 {
			t.Fatalf("%+v, %v", report, err)
		}
		newest, oldest := report.Changes[0], report.Changes[5]
		if newest.Undoes == nil || *newest.Undoes != oldest.ID || !oldest.Undone || *oldest.Before != "109" || *oldest.After != "103" || oldest.By != "op@host" || oldest.Asked != "103" {
			t.Errorf("newest %+v, oldest %+v", newest, oldest)
		}
		if gone := report.Changes[3]; gone.After != nil || gone.RelayAfter != nil || *gone.RelayBefore != "relay.example" {
			t.Errorf("the removal is kept as %+v", gone)
		}
	})
}

// Whoever moves the cursor after a plan was made is not overruled, unless by force, and
// then only where it was a writer going on.
func TestApplyMeetsAnotherMove(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		for _, c := range []struct {
			name    string
			options cursor.Options
			moved   func()
			refused bool
		}{
			{"a writer goes on", at("103"), func() { server.Do("set", key, 110) }, true},
			{"a writer goes on, by force", with(at("103"), func(o *cursor.Options) { o.Force = true }), func() { server.Do("set", key, 110) }, false},
			{"with a value expected, force or not", with(at("103"), func(o *cursor.Options) { o.Force, o.IfValue = true, "109" }), func() { server.Do("set", key, 110) }, true},
			{"an operator, by force", with(at("103"), func(o *cursor.Options) { o.Force = true }), func() {
				server.Do("set", key, 50)
				server.Do("set", side, strings.Replace(ours, `"epoch":4`, `"epoch":5`, 1))
			}, true},
			{"it was removed", at("103"), func() { server.Do("del", key) }, true},
		} {
			r := planted(t, server)
			p, err := cursor.MakePlan(t.Context(), r, c.options)
			if err != nil {
				t.Fatal(err)
			}
			c.moved()
			was := server.Do("get", key)
			err = p.Apply(t.Context(), r)
			if c.refused && (fault.ClassOf(err) != fault.Conflict || p.Moved || server.Do("get", key) != was) || !c.refused && (err != nil || server.Do("get", key) != "103") {
				t.Errorf("%s: %v, moved is %v, and the cursor %v", c.name, err, p.Moved, server.Do("get", key))
			}
		}
	})
}

// A cursor that the bridge left, taken as it is, is marked so that ingest finds out how
// far the bridge went; taken back, nothing is left beside it.
func TestAdoptingTheBridgesCursor(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		r := planted(t, server)
		server.Do("del", side)
		server.Do("set", key, 104)
		p, err := cursor.MakePlan(t.Context(), r, at("104"))
		if err != nil || p.Theirs != 1 || *p.Repeats != 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		if err := p.Apply(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(server.Do("get", side)); !strings.Contains(got, `"relay":"bsky.network"`) || !strings.Contains(got, `"othersFrom":"0-0","othersTo":105`) {
			t.Errorf("the side key is %s", got)
		}
		p, err = cursor.MakePlan(t.Context(), r, cursor.Options{Undo: true})
		if err == nil {
			err = p.Apply(t.Context(), r)
		}
		if err != nil || server.Do("get", key) != "104" || server.Do("exists", side) != int64(0) {
			t.Errorf("%v: the cursor is %v, beside it %v", err, server.Do("get", key), server.Do("get", side))
		}
	})
}

// The cursors of another number of partitions are taken over where they are equal.
func TestFormerPartitions(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	set := open(t, server, reader.Config{Partitions: 2, OtherCount: true})
	over := func(one *reader.Reader) (*cursor.Plan, error) {
		return cursor.MakePlan(t.Context(), set, cursor.Options{Former: one, Configured: "relay.example"})
	}
	one := planted(t, server)
	p, err := over(one)
	if err == nil {
		err = p.Apply(t.Context(), set)
	}
	if err != nil || server.Do("get", key+":{0}") != "109" || server.Do("get", key+":{1}") != "109" {
		t.Fatalf("%v: {1} is %v", err, server.Do("get", key+":{1}"))
	}
	if got := fmt.Sprint(server.Do("get", key+":{1}:meta")); !strings.Contains(got, `"partitions":2`) {
		t.Errorf("the side key is %s", got)
	}
	// And back, where they stand apart.
	server.Do("set", key+":{0}", 104)
	_, err = cursor.MakePlan(t.Context(), one, cursor.Options{Former: set})
	if fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), "{0} is at 104, {1} at 109") {
		t.Error(err)
	}
	if _, err = over(set); fault.ClassOf(err) != fault.Usage {
		t.Errorf("as many as before: %v", err)
	}
	// The bridge stored beyond its cursor.
	one = planted(t, server)
	server.Do("del", side)
	server.Do("set", key, 104)
	if _, err = over(one); fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), "beyond its cursor 104, up to 109") {
		t.Error(err)
	}
	server.Do("del", key)
	if _, err = over(one); fault.ClassOf(err) != fault.Cursor {
		t.Errorf("no cursor: %v", err)
	}
}

// How a cursor stands, whatever it holds.
func TestLook(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	look := func(r *reader.Reader) (*cursor.Report, error) {
		t.Helper()
		each, err := r.Cursors(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		report, err := cursor.Look(t.Context(), r, each, now)
		if err != nil {
			t.Fatal(err)
		}
		return report, cursor.Unusable(r.CursorKey(), reader.LowestCursor(each))
	}
	r := planted(t, server)
	report, err := look(r)
	if err != nil || *report.Cursor != 109 || *report.Relay != "relay.example" || report.RelayAssumed || report.Epoch != 4 || *report.AgeSeconds != 10 {
		t.Errorf("%+v, %v", report, err)
	}
	if s := report.Stream; s.Length != 4 || *s.LastSeq != 109 || !s.LastStoredAt.Equal(first.Add(3*time.Second)) {
		t.Errorf("stream %+v", s)
	}
	// The event's own time counts, where it can be true.
	for text, age := range map[string]float64{"2026-01-02T03:04:00Z": 18, "2025-01-02T03:04:00Z": 10, "2027-01-02T03:04:00Z": 10, "x": 10} {
		server.Do("set", side, strings.Replace(ours, `"epoch"`, `"eventTime":"`+text+`","epoch"`, 1))
		if report, _ = look(r); *report.AgeSeconds != age {
			t.Errorf("%s: the age is %v, want %v", text, *report.AgeSeconds, age)
		}
	}
	server.Do("del", side)
	if report, _ = look(r); *report.Relay != "bsky.network" || !report.RelayAssumed {
		t.Errorf("a bridge's cursor: %+v", report)
	}
	server.Do("set", key, "garbage")
	if report, err = look(r); fault.ClassOf(err) != fault.Cursor || report.Cursor != nil || *report.Raw != "garbage" || report.RelayAssumed {
		t.Errorf("no seq: %+v, %v", report, err)
	}
	server.Do("del", key, stream)
	if report, err = look(r); fault.ClassOf(err) != fault.Cursor || report.Raw != nil || report.Stream != nil || report.Writer != nil {
		t.Errorf("nothing there: %+v, %v", report, err)
	}
	if !strings.Contains(fault.HintOf(err), fault.CursorTo("SEQ|oldest|TIME")) {
		t.Errorf("the hint is %q", fault.HintOf(err))
	}
	// Of a set, each cursor and the lowest.
	server.Do("set", key+":{0}", 7, "ex", 100)
	server.Do("set", key+":{1}", "x")
	set := open(t, server, reader.Config{Partitions: 3, OtherCount: true})
	report, err = look(set)
	if rows := report.Partitions; err == nil || len(rows) != 3 || *rows[0].Cursor != 7 || rows[1].Cursor != nil || *rows[1].Raw != "x" || rows[2].Raw != nil || rows[2].Key != key+":{2}" {
		t.Errorf("a set: %+v, %v", report.Partitions, err)
	}
}

// An error of Redis keeps its class.
func TestKeysOfAnotherType(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	r := planted(t, server)
	server.Do("del", key)
	server.Do("lpush", key, "x")
	if _, err := cursor.MakePlan(t.Context(), r, at("103")); fault.ClassOf(err) != fault.Data {
		t.Errorf("the cursor is a list: %v", err)
	}
	r = planted(t, server)
	server.Do("set", key+":history", "x")
	if _, err := cursor.History(t.Context(), r); err == nil || errors.Is(err, reader.ErrNoStream) {
		t.Errorf("the history is a string: %v", err)
	}
}
