package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// hostileData are data fields of the largest size, each of which takes many times its
// size in a program that keeps something for each of its values.
func hostileData() map[string]string {
	const cid = "bafyreifgdu2sih3s5pcblmx3bcbrqwbxfcrqimormrj4d5bc6ynukvvqia"
	fill := func(before, each, after string) string {
		n := (event.MaxData - len(before) - len(after)) / len(each)
		return before + strings.TrimSuffix(strings.Repeat(each, n), ",") + after
	}
	commit := `{"repo":"` + attacker + `","ops":[`
	create := commit + `{"action":"create","path":"a.b.c/1","cid":"` + cid + `","record":{"$type":"a.b.c","text":`
	deep := func(open, middle, end string) string {
		const levels = 30
		return strings.Repeat(open, levels) + middle + strings.Repeat(end, levels) + ","
	}
	return map[string]string{
		"empty arrays":                  fill(create+"[", "[],", "]}}]}"),
		"empty objects":                 fill(create+"[", "{},", "]}}]}"),
		"zeros":                         fill(create+"[", "0,", "]}}]}"),
		"empty texts":                   fill(create+"[", `"",`, "]}}]}"),
		"deep arrays":                   fill(create+"[", deep("[", "0", "]"), "]}}]}"),
		"deep objects":                  fill(create+"[", deep(`{"a":`, "0", "}"), "]}}]}"),
		"deepest objects":               fill(create+"[", strings.Repeat(`{"a":`, 9000)+"0"+strings.Repeat("}", 9000)+",", "]}}]}"),
		"same fields":                   fill(create+"{", `"a":0,`, "}}}]}"),
		"bytes":                         fill(create+"[", `{"$bytes":""},`, "]}}]}"),
		"control characters":            fill(create+`"`, `\u0001`, `"}}]}`),
		"quotes":                        fill(create+`"`, `\"`, `"}}]}`),
		"ops that are numbers":          fill(commit, "0,", "]}"),
		"ops that are empty":            fill(commit, "{},", "]}"),
		"an op of many fields":          fill(commit+`{"action":"create","path":"a.b.c/1",`, `"x":[],`, "}]}"),
		"beside the ops":                fill(`{"repo":"`+attacker+`","x":[`, "[],", `],"ops":[]}`),
		"members":                       fill(`{"repo":"`+attacker+`",`, `"time":0,`, `,"ops":[]}`),
		"a path of escapes":             fill(commit+`{"action":"create","path":"`, `\u0001`, `"}]}`),
		"a DID of escapes":              fill(`{"repo":"`, `\u0001`, `","ops":[]}`),
		"not JSON":                      fill(create+"[", "[],", "]}}"),
		"not UTF-8":                     fill(create+`["`+"\xff"+`",`, "[],", "]}}]}"),
		"an array":                      fill("[", "[],", "]"),
		"control characters, unescaped": fill("", "\x01", ""),
		"white space":                   fill(commit, " \n", "]}"),
		"different field names":         differentFields(create + "{"),
	}
}

// differentFields is an object whose keys all differ, the highest first.
func differentFields(before string) string {
	b := []byte(before)
	for i := 9_999_999; len(b) < event.MaxData-20; i-- {
		b = fmt.Appendf(b, `"%d":0,`, i)
	}
	return string(b[:len(b)-1]) + "}}}]}"
}

// everyRun are the shapes and the commands that are tried each time; the others take
// minutes and run with FHCTL_NIGHTLY=1.
var everyRun = struct{ shapes, commands []string }{
	[]string{"zeros", "bytes", "deepest objects", "ops that are numbers", "different field names", "control characters, unescaped"},
	[]string{"tail as JSON", "tail by template", "verify", "verify against", "replay to stream", "stream stats", "doctor"},
}

// G5: a reader is bounded, whatever another writer has stored: data of the largest
// size made of the smallest values, and of what is longer when it is printed.
func TestMemoryOfReadersIsBoundedWhateverOthersStored(t *testing.T) {
	needsProc(t)
	redistest.RequireReal(t)
	t.Parallel()
	nightly := os.Getenv("FHCTL_NIGHTLY") != ""
	server := redistest.Start(t)
	all := hostileData()
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if nightly || slices.Contains(everyRun.shapes, name) {
			storeHostile(t, server.Client(), all[name], 10*i+1)
		}
	}
	env := environment("ws://127.0.0.1:1", server.URL())
	binary := builtHere(t)
	for name, args := range map[string][]string{
		"tail as JSON":     {"tail", "-o", "json"},
		"tail as text":     {"tail", "-o", "text"},
		"tail by op":       {"tail", "-o", "json", "--ops"},
		"tail by template": {"tail", "--template", "{{.seq}} {{with .data}}{{range .ops}}{{.path}}{{with .record}}{{json .text}}{{end}}{{end}}{{end}}"},
		"tail raw":         {"tail", "--raw"},
		"tail what fits":   {"tail", "--collection", "a.b.c", "--grep", "nothing"},
		"tail the newest":  {"tail", "--tail", "5"},
		"replay":           {"replay", "stream"},
		"replay to stream": {"replay", "stream", "--to", server.URL(), "--to-stream", "copy"},
		"verify":           {"verify"},
		"verify against":   {"verify", "--against", "firehose:other"},
		"stream stats":     {"stream", "stats"},
		"doctor":           {"doctor"},
		"cursor get":       {"cursor", "get"},
	} {
		if !nightly && !slices.Contains(everyRun.commands, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := startAs(t, binary, env, args...)
			peak := p.peakUntilEnd()
			t.Logf("peak resident memory: %.1f MiB", float64(peak)/1024)
			if peak > swollen || peak == 0 {
				t.Errorf("peak resident memory %d KiB, want at most %d", peak, swollen)
			}
			// Findings are 3: what must not be is that it fails.
			if code := p.exit(0); code != 0 && code != 3 {
				t.Errorf("exit code %d:\n%s", code, lastOf(p.output()))
			}
		})
	}
}

// storeHostile adds data, and an entry that must still be read behind it, to a stream
// and, in other words, to another.
func storeHostile(t *testing.T, client *redis.Client, data string, seq int) {
	t.Helper()
	sound := `{"repo":"` + attacker + `","ops":[]}`
	for _, e := range []struct {
		key, data string
		seq       int
	}{
		{"firehose:events", data, seq}, {"firehose:events", sound, seq + 1},
		{"firehose:other", strings.TrimSuffix(data, "}") + " }", seq}, {"firehose:other", sound, seq + 1},
	} {
		if err := client.Do(t.Context(), "XADD", e.key, "*", "type", "commit", "data", e.data, "seq", e.seq).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Set(t.Context(), "firehose:python_cursor", seq+1, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

// peakUntilEnd waits for the program and gives the most memory it had resident, in KiB.
func (p *program) peakUntilEnd() (kib int) {
	for began := time.Now(); ; {
		now, _ := residentOf(p.cmd.Process.Pid)
		kib = max(kib, now)
		select {
		case <-p.done:
			return kib
		case <-time.After(5 * time.Millisecond):
		}
		if time.Since(began) > 2*unhurried {
			p.t.Fatalf("still running, with %d KiB", kib)
		}
	}
}
