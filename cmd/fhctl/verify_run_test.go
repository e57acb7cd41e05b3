package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/sim"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

// verified runs fhctl verify to its end.
func verified(t *testing.T, redis string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(fhctlPath(t), append([]string{"verify"}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"HOME=" + t.TempDir(), "REDIS_URL=" + redis}, &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func says(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, lastOf(text))
		}
	}
}

// simulated is a capture of n events and the file of their keys.
func simulated(t *testing.T, n int, order func([][]byte) [][]byte) (path, keys string) {
	t.Helper()
	s, err := sim.New(sim.Config{Count: int64(n), Seed: 3, Accounts: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var frames [][]byte
	after := event.Seq(0)
	for range n {
		seq, data, err := s.Next(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		frames, after = append(frames, data), seq
	}
	path, keys = filepath.Join(t.TempDir(), "run.fhz"), filepath.Join(t.TempDir(), "keys.json")
	w, err := capture.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range order(frames) {
		if err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s.DIDDocuments())
	if err != nil {
		t.Fatal(err)
	}
	write(t, keys, text)
	return path, keys
}

func asMade(frames [][]byte) [][]byte { return frames }

func TestVerifySimulatedCaptureWithItsKeys(t *testing.T) {
	t.Parallel()
	path, keys := simulated(t, 500, asMade)
	out, errs, code := verified(t, "", path, "--did-docs", keys)
	if code != 0 || errs != "" {
		t.Errorf("exit code %d, %s", code, errs)
	}
	says(t, out, "frames      500,", " verified, 0 of accounts without a document", "Clean, with ")
}

func TestVerifyRealCaptureWithItsDocuments(t *testing.T) {
	t.Parallel()
	out, _, code := verified(t, "", thirdparty.Path(t, "firehose", "frames.bin.zst"), "--strict",
		"--did-docs", thirdparty.Path(t, "firehose", "did_docs.json.zst"))
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "trees       148 undone", "signatures  148 verified, 0 of", "gaps        none", "\nClean.\n")
}

// What is repeated far back in a file is found by reading it again.
func TestVerifyFindsAFarDuplicateInACapture(t *testing.T) {
	t.Parallel()
	path, _ := simulated(t, 300, func(frames [][]byte) [][]byte { return append(frames, frames[4]) })
	out, _, code := verified(t, "", path)
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "error    seq-duplicate", "frame 301: stored before as frame 5", "error    rev-order")
}

func TestVerifyDamagedCapture(t *testing.T) {
	t.Parallel()
	path, _ := simulated(t, 300, asMade)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()*3/4); err != nil {
		t.Fatal(err)
	}
	out, _, code := verified(t, "", path)
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "error    capture-damaged ", "1 error, ")
}

// What a stream holds is untrusted: it cannot steer a terminal, forge a line or
// break XML.
func TestVerifyEscapesWhatItQuotes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("XADD", "s", "1-0", "type", "\x1b[2J\nClean.", "data", "{}", "seq", "1")
	out, _, code := verified(t, server.URL(), "--stream-key", "s")
	if code != 3 || strings.Contains(out, "\x1b") || strings.Contains(out, "\nClean") {
		t.Errorf("exit code %d:\n%q", code, out)
	}
	out, _, _ = verified(t, server.URL(), "--stream-key", "s", "-o", "junit")
	says(t, out, `name="type-unknown"`, `</testsuites>`)
	if strings.Contains(out, "\x1b") {
		t.Errorf("XML holds an escape: %q", out)
	}
}

// limited is a Redis that stops answering after so many bytes: it hangs up, or
// says nothing more.
func limited(t *testing.T, upstream string, limit int64, hangUp bool) (url string, reached func() bool) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var done atomic.Bool
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", upstream)
			if err != nil || done.Load() {
				_ = client.Close()
				continue
			}
			t.Cleanup(func() { _, _ = client.Close(), server.Close() })
			go func() { _, _ = io.Copy(server, client) }()
			go func() {
				_, _ = io.CopyN(client, server, limit)
				done.Store(true)
				if hangUp {
					_ = client.Close()
				}
			}()
		}
	}()
	return "redis://" + listener.Addr().String(), done.Load
}

// filled is a Redis with a stream of 5,000 entries, the first of them damaged if
// asked for.
func filled(t *testing.T, damaged bool) *redistest.Server {
	t.Helper()
	server := redistest.Start(t)
	first := "identity"
	if damaged {
		first = "nothing"
	}
	data := fmt.Sprintf(`{"did":"did:plc:aaaabbbbccccddddeeeeffff","handle":null,"pad":%q}`, strings.Repeat("x", 500))
	server.Do("EVAL", `for i = 1, 5000 do
		redis.call('XADD', 's', i .. '-0', 'type', i == 1 and ARGV[1] or 'identity', 'data', ARGV[2], 'seq', tostring(i))
	end`, 0, first, data)
	return server
}

func TestVerifyWhenRedisGoesAway(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		damaged bool
		code    int
		verdict string
	}{{false, 4, "unknown"}, {true, 3, "findings"}} {
		server := filled(t, v.damaged)
		url, _ := limited(t, strings.TrimPrefix(server.URL(), "redis://"), 1_500_000, true)
		out, errs, code := verified(t, url, "--stream-key", "s", "-o", "json")
		if code != v.code {
			t.Errorf("exit code %d, want %d: %s", code, v.code, errs)
		}
		says(t, out, `"verdict":"`+v.verdict+`","complete":false,"stopped":"read stream s: `)
		says(t, errs, "fhctl: ", "read stream s: ")
	}
}

func TestVerifyInterruptedSaysWhatItCovered(t *testing.T) {
	t.Parallel()
	server := filled(t, false)
	url, reached := limited(t, strings.TrimPrefix(server.URL(), "redis://"), 1_500_000, false)
	var out bytes.Buffer
	cmd := exec.Command(fhctlPath(t), "verify", "--stream-key", "s")
	cmd.Env, cmd.Stdout = []string{"HOME=" + t.TempDir(), "REDIS_URL=" + url}, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() error {
		if reached() {
			return nil
		}
		return errors.New("it has not read that far")
	})
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
	says(t, out.String(), "entries   ", "It ended early, so the rest is unknown: ")
}
