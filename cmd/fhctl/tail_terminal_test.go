//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unsafe"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// terminal is a pseudo terminal of that width; what is written to tty is read
// from master.
func terminal(t *testing.T, columns uint16) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("needs pseudo terminals: ", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	var number, locked uint32
	control(t, master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	control(t, master, syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("needs pseudo terminals: ", err)
	}
	control(t, tty, syscall.TIOCSWINSZ, unsafe.Pointer(&[4]uint16{24, columns}))
	return master, tty
}

func control(t *testing.T, file *os.File, request uintptr, argument unsafe.Pointer) {
	t.Helper()
	if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), request, uintptr(argument)); err != 0 {
		t.Skip("needs pseudo terminals: ", err)
	}
}

// onTerminal is what fhctl prints where people look, but for carriage returns.
func onTerminal(t *testing.T, columns uint16, env []string, args ...string) string {
	t.Helper()
	master, tty := terminal(t, columns)
	cmd := exec.Command(fhctlPath(t), args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "TZ=UTC", "TERM=xterm"}, env...)
	cmd.Stdout = tty
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close()
	return strings.ReplaceAll(screen(master), "\r\n", "\n")
}

// screen is all that was written to a terminal that has no writer any more. One
// read may give only a part of it.
func screen(master *os.File) string {
	_ = master.SetReadDeadline(time.Now().Add(time.Minute)) // not every file has one
	var out strings.Builder
	_, _ = io.Copy(&out, master) // fails where the writing ended
	return out.String()
}

func TestTailOnATerminal(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	at := time.Now().Add(-40 * 24 * time.Hour)
	server.Do("XADD", "firehose:events", strconv.FormatInt(at.UnixMilli(), 10)+"-0", "type", "commit", "data",
		`{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[{"action":"create","path":"app.bsky.feed.post/3kaaaaaaaaa2a",`+
			`"record":{"text":"hej \u001b[2J and so on and on"}}]}`, "seq", "7")
	redis := "REDIS_URL=" + server.URL()
	clock := at.UTC().Format("01-02 15:04")
	coloured := "\x1b[2m" + clock + "\x1b[0m  commit   \x1b[32mcreate\x1b[0m \x1b[34mapp.bsky.feed.post\x1b[0m       \x1b[2mdid:plc:aaaabbbbccccddddeeeeffff\x1b[0m 3kaaaaaaaaa2a hej \\x1b[2J and so on and on\n"
	plain := clock + " commit   create app.bsky.feed.post did:plc:aaaab… hej \\x1b[2J and s…\n"
	for _, c := range []struct {
		name    string
		columns uint16
		env     []string
		args    []string
		want    string
	}{
		{"wide", 160, nil, nil, coloured},
		{"NO_COLOR", 80, []string{"NO_COLOR=1"}, nil, plain},
		{"no-color", 80, nil, []string{"--no-color"}, plain},
		{"dumb", 80, []string{"TERM=dumb"}, nil, plain},
		{"no width", 0, nil, []string{"--no-color"}, plain},
		{"template", 80, nil, []string{"--template", "{{(index .data.ops 0).record.text}}\t|"}, "hej \\x1b[2J and so on and on    |\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := onTerminal(t, c.columns, append(c.env, redis), append([]string{"tail"}, c.args...)...)
			if strings.ReplaceAll(got, "\t", "    ") != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	if got := onTerminal(t, 80, []string{redis}, "tail", "-o", "json"); !strings.HasPrefix(got, `{"v":1,`) {
		t.Errorf("-o json prints %q", got)
	}
}

// What others have stored cannot steer a terminal, whatever prints it; in a pipe JSON
// stays as it is.
func TestNothingSteersATerminal(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	const evil = "a\u009b31m\u202eb\u2066\u2028\u061c\u200f\u2029\u0085c"
	for i, fields := range [][]any{
		{"type", "commit", "data", `{"repo":"did:plc:` + evil + `","ops":[{"action":"` + evil + `","path":"` + evil + `/b","record":{"$type":"a.b.c","` + evil + `":"` + evil + `","text":"` + evil + `"}}]}`},
		{"type", evil, "data", evil, evil, evil},
		{"type", "identity", "data", `{"did":"` + evil + `","handle":"` + evil + `"}`},
	} {
		server.Do(append([]any{"XADD", "firehose:events", "*"}, append(fields, "seq", i+1)...)...)
	}
	server.Do("XGROUP", "CREATE", "firehose:events", evil, "0")
	server.Do("XREADGROUP", "GROUP", evil, evil, "COUNT", "1", "STREAMS", "firehose:events", ">")
	server.Do("SET", "firehose:status", `{"connected":true,"url":"`+evil+`","currentCursor":"`+evil+`","writer":"`+evil+`"}`)
	server.Do("SET", "firehose:python_cursor", "3")
	redis := "REDIS_URL=" + server.URL()
	for _, words := range []string{
		"tail", "tail -o json", "tail --ops -o json", "tail --raw", "tail --template {{json.}}", "replay stream", "replay stream -o json", "replay stream --raw",
		"verify", "verify -o json", "stream stats", "stream stats -o json", "doctor", "doctor -o json", "cursor get -o json", "cursor get -o text", "cursor history -o json", "config show -o json", "config show",
	} {
		t.Run(words, func(t *testing.T) {
			args := strings.Fields(strings.ReplaceAll(words, "json.", "json\u00a0."))
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "\u00a0", " ")
			}
			master, tty := terminal(t, 200)
			cmd := exec.Command(fhctlPath(t), args...)
			cmd.Env = []string{"HOME=" + t.TempDir(), "TERM=xterm", redis, "RELAY_URL=ws://127.0.0.1:1"}
			cmd.Stdout, cmd.Stderr = tty, tty
			_ = cmd.Run() // findings are no failure here
			_ = tty.Close()
			shown := screen(master)
			if i := strings.IndexFunc(shown, func(r rune) bool {
				return r >= 0x80 && r < 0xa0 || unicode.In(r, unicode.Bidi_Control) || r == 0x2028 || r == 0x2029
			}); i >= 0 {
				t.Errorf("%q passes: %q", shown[i:i+3], shown[max(0, i-60):min(len(shown), i+60)])
			}
		})
	}
	piped := exec.Command(fhctlPath(t), "tail", "-o", "json", "--limit", "1")
	piped.Env = []string{"HOME=" + t.TempDir(), redis}
	if out, err := piped.Output(); err != nil || !strings.Contains(string(out), `"text":"`+evil+`"`) {
		t.Errorf("in a pipe the JSON is other bytes: %q, %v", out, err)
	}
}
