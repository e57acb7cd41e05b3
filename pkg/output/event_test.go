package output_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/output"
)

var storedAt = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)

// stored is an event of a stream with that data.
func stored(t testing.TB, kind, data string) *output.Event {
	t.Helper()
	e := &output.Event{Source: output.FromStream, ID: "1767323045006-0", At: storedAt, Kind: kind, Seq: 7000000123, Data: data}
	if err := e.Outline.Read(data); err != nil {
		t.Fatal(err)
	}
	if len(e.Outline.Ops) == 0 {
		e.Op = -1
	}
	return e
}

const post = `{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[` +
	`{"action":"create","path":"app.bsky.feed.post/3kaaaaaaaaa2a","cid":"bafy","record":{"$type":"app.bsky.feed.post","text":"hej\nhopp \u001b[2J <b>","n":12345678901234567890}},` +
	`{"action":"delete","path":"app.bsky.feed.like/3kbbbbbbbbb2b"}]}`

func TestJSONKeepsDataByteForByte(t *testing.T) {
	got := string(output.AppendJSON(nil, stored(t, "commit", post)))
	want := `{"v":1,"source":"stream","id":"1767323045006-0","time":"2026-01-02T03:04:05.006Z","kind":"commit","seq":7000000123,` +
		`"did":"did:plc:aaaabbbbccccddddeeeeffff","data":` + post + "}\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestJSONIsAlwaysOneSoundLine(t *testing.T) {
	alone := stored(t, "commit", post)
	alone.Op, alone.Alone = 1, true
	for name, c := range map[string]struct {
		e    *output.Event
		want string
	}{
		"broken lines": {stored(t, "account", "{\"did\":\"did:plc:x\",\r\n \"active\":true}"), `"data":{"did":"did:plc:x","active":true}}`},
		"one op":       {alone, `"kind":"commit","seq":7000000123,"did":"did:plc:aaaabbbbccccddddeeeeffff","index":1,"ops":2,"op":{"action":"delete","path":"app.bsky.feed.like/3kbbbbbbbbb2b"}}`},
		"fault": {&output.Event{Source: output.FromStream, ID: "1-1", Kind: "a\"<\x1b\xff", Op: -1, Fault: "data is not JSON",
			Fields: []string{"type", "commit", "data", "\xff{", "x", "å"}},
			`{"v":1,"source":"stream","id":"1-1","time":null,"kind":"a\"<\u001b\ufffd","seq":null,"did":null,"data":null,"fault":"data is not JSON","fields":["type","commit","data",{"$bytes":"/3s"},"x","å"]}`},
		"relay": {&output.Event{Source: output.FromRelay, Sent: "yesterday", Kind: "info", Data: `{"name":"OutdatedCursor"}`, Op: -1, Skipped: 2},
			`{"v":1,"source":"relay","time":"yesterday","kind":"info","seq":null,"did":null,"data":{"name":"OutdatedCursor"},"skipped":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			line := string(output.AppendJSON(nil, c.e))
			sameValues(t, line, c.e)
			if !strings.HasSuffix(line, c.want+"\n") || strings.Count(line, "\n") != 1 || !json.Valid([]byte(line)) {
				t.Errorf("got %s", line)
			}
		})
	}
	raw := string(output.AppendEntry(nil, "1-0", []string{"type", "commit", "data", "{}\n", "seq", "\xff"}))
	if raw != `{"id":"1-0","fields":["type","commit","data","{}\n","seq",{"$bytes":"/w"}]}`+"\n" {
		t.Errorf("raw entry: %s", raw)
	}
	if frame := string(output.AppendFrame(nil, []byte{0xa1, 0xff})); frame != "of8=\n" {
		t.Errorf("raw frame: %s", frame)
	}
}

func columns(width int, color bool) *output.Columns {
	c := &output.Columns{Color: color, Now: func() time.Time { return storedAt.Add(time.Hour) }}
	if width >= 0 {
		c.Width = func() int { return width }
	}
	return c
}

func TestColumnsFitTheTerminal(t *testing.T) {
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	time.Local = time.UTC
	e := stored(t, "commit", post)
	for width, want := range map[int]string{
		140: `03:04:05.006 commit   create app.bsky.feed.post       did:plc:aaaabbbbccccddddeeeeffff 3kaaaaaaaaa2a (+1) hej\nhopp \x1b[2J <b>`,
		104: `03:04:05.006 commit   create app.bsky.feed.post       did:plc:aaaabbbbc… 3kaaaaaaaaa2a (+1) hej\nhopp \…`,
		80:  `03:04:05    commit   create app.bsky.feed.post did:plc:aaaab… (+1) hej\nhopp \x…`,
		20:  `03:04:05    commit`,
		-1:  `2026-01-02T03:04:05.006Z commit   create app.bsky.feed.post       did:plc:aaaabbbbccccddddeeeeffff 3kaaaaaaaaa2a (+1) hej\nhopp \x1b[2J <b>`,
	} {
		got := string(columns(width, false).Append(nil, e))
		if strings.TrimRight(got, "\n ") != strings.TrimRight(want, " ") {
			t.Errorf("width %d:\n got %q\nwant %q", width, got, want)
		}
		if width > 0 && len([]rune(got)) > width+1 {
			t.Errorf("width %d: the line takes %d", width, len([]rune(got)))
		}
	}
}

func TestColumnsSayWhatHappened(t *testing.T) {
	like := stored(t, "commit", `{"repo":"did:plc:x","ops":[{"action":"create","path":"chat.example.very.long.name.thing/self","record":{"subject":{"uri":"at://x/y/z"}}}]}`)
	alone := stored(t, "commit", post)
	alone.Op, alone.Alone = 0, true
	old := stored(t, "account", `{"did":"did:plc:x","active":true}`)
	old.At = storedAt.Add(-72 * time.Hour)
	for name, c := range map[string]struct {
		e    *output.Event
		want string
	}{
		"subject":       {like, "…le.very.long.name.thing did:plc:x                        self          at://x/y/z\n"},
		"alone":         {alone, ` 3kaaaaaaaaa2a hej\nhopp \x1b[2J <b>`},
		"no ops":        {stored(t, "commit", `{"repo":"did:plc:x","ops":[]}`), " no ops\n"},
		"ops missing":   {stored(t, "commit", `{"repo":"did:plc:x"}`), " ! no ops array\n"},
		"identity":      {stored(t, "identity", `{"did":"did:plc:x","handle":"cat.example"}`), " → cat.example\n"},
		"no handle":     {stored(t, "identity", `{"did":"did:plc:x","handle":null}`), " no handle\n"},
		"account":       {stored(t, "account", `{"did":"did:plc:x","active":false,"status":"deleted"}`), " inactive: deleted\n"},
		"another day":   {old, "12-30 03:04  account"},
		"fault":         {&output.Event{Kind: "commit", Op: -1, Fault: "data is not JSON"}, " ! data is not JSON\n"},
		"info":          {&output.Event{Kind: "info", Op: -1, Data: `{"name":"OutdatedCursor","message":"too old"}`}, " OutdatedCursor too old\n"},
		"unknown, odd":  {&output.Event{Kind: "x\x1b[0m", Op: -1, Data: `{}`}, `x\x1b[0m`},
		"ops that lie":  {stored(t, "commit", `{"repo":"did:plc:x","ops":[7]}`), "commit"},
		"skipped":       {&output.Event{Kind: "sync", Op: -1, Data: `{}`, Skipped: 3}, "(3 skipped)\n"},
		"double spaces": {stored(t, "commit", `{"repo":"did:plc:x","ops":[{"path":"a/b","record":{"text":"日本語"}}]}`), "日本語\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(columns(140, false).Append(nil, c.e)); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestColumnsColour(t *testing.T) {
	got := string(columns(140, true).Append(nil, stored(t, "commit", post)))
	if !strings.Contains(got, "\x1b[32mcreate\x1b[0m") || strings.Contains(got, "[2J <b>\x1b") {
		t.Errorf("got %q", got)
	}
	if plain := string(columns(140, false).Append(nil, stored(t, "commit", post))); strings.Contains(plain, "\x1b") {
		t.Errorf("colours without being asked: %q", plain)
	}
}

func TestTemplate(t *testing.T) {
	e := stored(t, "commit", post)
	for text, want := range map[string]string{
		`{{.seq}} {{.kind}} {{(index .data.ops 0).path}}`: "7000000123 commit app.bsky.feed.post/3kaaaaaaaaa2a\n",
		`{{range .data.ops}}{{.action}}{{"\n"}}{{end}}`:   "create\ndelete\n",
		`{{(index .data.ops 0).record.text}}`:             "hej\nhopp \\x1b[2J <b>\n",
		`{{json (index .data.ops 0).record.n}}`:           "12345678901234567890\n",
	} {
		tmpl, err := output.NewTemplate(text, true)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := tmpl.Append(nil, e); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v; want %q", text, got, err, want)
			}
		}
	}
	if _, err := output.NewTemplate(`{{.seq`, true); err == nil {
		t.Error("a broken template is taken")
	}
	tmpl, _ := output.NewTemplate(`{{(index .data.ops 9).path}}`, false)
	if _, err := tmpl.Append(nil, e); err == nil {
		t.Error("an index beyond the ops is no error")
	}
}

// sameValues: a template sees what the JSON of an event says.
func sameValues(t *testing.T, line string, e *output.Event) {
	t.Helper()
	template, err := output.NewTemplate("{{json .}}", false)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := template.Append([]byte("> "), e)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := errors.Join(json.Unmarshal(seen[2:], &got), json.Unmarshal([]byte(line), &want)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the template sees %s, %v; the JSON says %s", seen, err, line)
	}
}

// G5: lines that are written in parts are those that are made in memory.
func TestLinesInPartsAreTheSame(t *testing.T) {
	const part = 4096
	for _, unit := range []string{"a", "\x01", "å", "€", "😀", "\xff", "\x80", "a\x80\x80\x80\x80\x80", "😀\x80\x80", "\"", "\u2028"} {
		for lead := range 5 {
			text := strings.Repeat("x", lead) + strings.Repeat(unit, (2*part+10)/len(unit))
			for _, e := range []*output.Event{
				{Source: output.FromStream, Kind: text, Sent: text, Fault: text, Fields: []string{"data", text, text}, Op: -1},
				{Source: output.FromStream, ID: text, Data: `{"x":"` + strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(text, "\"", ""), "\x01", ""), "") + `"}`, Op: -1},
			} {
				var b bytes.Buffer
				w := bufio.NewWriterSize(&b, 8<<10)
				err := errors.Join(output.WriteJSON(w, e), output.WriteEntry(w, text, e.Fields), w.Flush())
				want := output.AppendEntry(output.AppendJSON(nil, e), text, e.Fields)
				if err != nil || !bytes.Equal(b.Bytes(), want) {
					t.Fatalf("%q behind %d: %v, and other bytes", unit, lead, err)
				}
			}
		}
	}
}
