//go:build unix

package files

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is no regular file is named and not waited for.
func TestRefusesWhatIsNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	pipe, socket := filepath.Join(dir, "pipe"), filepath.Join(dir, "s")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for path, kind := range map[string]string{dir: "a directory", pipe: "a pipe", socket: "a socket", os.DevNull: "a device", "/dev/zero": "a device"} {
		_, err := Read(path, 10)
		var not *NotRegular
		if !errors.As(err, &not) || not.Kind != kind || !strings.HasPrefix(err.Error(), path+" is "+kind) {
			t.Errorf("%s: %v, want %s", path, err, kind)
		}
	}
}

func TestReadsAPipeWithPatience(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if data, err := ReadPiped(pipe, 10, time.Minute); len(data) != 0 || err != nil {
		t.Errorf("nobody writes: %q, %v", data, err)
	}
	both, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	if _, err := ReadPiped(pipe, 10, time.Millisecond); err == nil || !strings.Contains(err.Error(), "within 1ms") {
		t.Errorf("a writer that is silent: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("secret\n"); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	name := filepath.Join("/dev/fd", strconv.Itoa(int(r.Fd())))
	if data, err := ReadPiped(name, 10, time.Minute); string(data) != "secret\n" || err != nil {
		t.Errorf("a shell's pipe: %q, %v", data, err)
	}
	if _, err := ReadPiped(os.DevNull, 10, time.Minute); err == nil {
		t.Error("a device was read")
	}
}
