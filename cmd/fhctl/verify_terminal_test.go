//go:build linux

package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/redistest"
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

// The bar is gone also where verify cannot check anything after all: of a set with an
// empty stream, which Redis does not describe to this user.
func TestVerifyGivesTheTerminalBack(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	server := redistest.Start(t)
	server.Do("xadd", "s:{0}", "*", "type", "identity", "data", `{"did":"did:plc:a"}`, "seq", 1)
	server.Do("xgroup", "create", "s:{1}", "g", "0", "mkstream")
	server.Do("acl", "setuser", "look", "on", ">pw", "~s:{0}*", "~firehose:*", "+@all", "(+@all -xinfo|stream ~s:{1}*)")
	master, tty := terminal(t, 80)
	cmd := exec.Command(fhctlPath(t), "verify", "--stream-key", "s", "--partitions", "2")
	cmd.Env = []string{"HOME=" + t.TempDir(), "TERM=xterm", "REDIS_URL=redis://look:pw@" + server.Addr()}
	cmd.Stderr = tty
	_ = cmd.Run()
	_ = tty.Close()
	drawn := screen(master)
	says(t, drawn, "verify", "fhctl: ", "xinfo")
	if bar := strings.LastIndex(drawn, " entries"); bar < 0 || bar > strings.LastIndex(drawn, "\r\x1b[K") {
		t.Errorf("the bar stays on the screen: %q", drawn)
	}
}
