//go:build linux

package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// On a terminal a bar shows how far it is; it is gone when the report comes,
// and standard output has the report alone.
func TestVerifyDrawsABarForPeople(t *testing.T) {
	t.Parallel()
	server := filled(t, false)
	master, tty := terminal(t, 80)
	var out bytes.Buffer
	cmd := exec.Command(fhctlPath(t), "verify", "--stream-key", "s")
	cmd.Env = []string{"HOME=" + t.TempDir(), "TERM=xterm", "REDIS_URL=" + server.URL()}
	cmd.Stdout, cmd.Stderr = &out, tty
	_ = cmd.Run() // there is no cursor, which is a finding
	_ = tty.Close()
	drawn := screen(master)
	says(t, drawn, "verify", "[", "%", " entries")
	if clear := strings.LastIndex(drawn, "\r\x1b[K"); clear < strings.LastIndex(drawn, "%") {
		t.Errorf("the bar stays on the screen: %q", drawn)
	}
	says(t, out.String(), "error    cursor-missing", "1 error, ")
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("standard output holds what belongs on the terminal: %q", out.String())
	}
}
