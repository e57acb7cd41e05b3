package systemd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// manager is the socket of a service manager.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func listen(t *testing.T, name string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Skipf("no unixgram sockets here: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &manager{t, conn}
}

func (m *manager) hears() string {
	m.t.Helper()
	buf := make([]byte, 4096)
	_ = m.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := m.conn.Read(buf)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(buf[:n])
}

func notifier(t *testing.T, environ ...string) *Notifier {
	t.Helper()
	n, err := New(environ)
	if err != nil || n == nil {
		t.Fatalf("New: %v, %v", n, err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// Every message is one datagram in the words of sd_notify(3).
func TestMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	m := listen(t, path)
	n := notifier(t, "NOTIFY_SOCKET="+path)
	for _, c := range []struct {
		say  func()
		want string
	}{
		{n.Ready, "READY=1"},
		{n.Alive, "WATCHDOG=1"},
		{n.Stopping, "STOPPING=1"},
		{func() { n.Status("connected") }, "STATUS=connected"},
		{func() { n.Status("evil\nREADY=1\r\nMAINPID=1") }, "STATUS=evil READY=1 MAINPID=1"},
	} {
		c.say()
		if got := m.hears(); got != c.want {
			t.Errorf("heard %q, want %q", got, c.want)
		}
	}
}

// RELOADING=1 carries the clock by which the manager tells this reload from an
// earlier one: it must rise.
func TestReloadingCarriesTheMonotonicClock(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("systemd is Linux's")
	}
	path := filepath.Join(t.TempDir(), "notify")
	m := listen(t, path)
	n := notifier(t, "NOTIFY_SOCKET="+path)
	var before int64
	for range 2 {
		n.Reloading()
		text, ok := strings.CutPrefix(m.hears(), "RELOADING=1\nMONOTONIC_USEC=")
		at, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || at <= before {
			t.Fatalf("clock %q behind %d", text, before)
		}
		before = at
		time.Sleep(time.Millisecond)
	}
}

func TestAbstractSocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("abstract sockets are Linux's")
	}
	name := fmt.Sprintf("@fhctl-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	m := listen(t, name)
	notifier(t, "NOTIFY_SOCKET="+name).Ready()
	if got := m.hears(); got != "READY=1" {
		t.Errorf("heard %q", got)
	}
}

// Without a manager, or with one that is gone, nothing happens.
func TestNobodyListens(t *testing.T) {
	var none *Notifier
	none.Ready()
	none.Reloading()
	none.Status("x")
	if none.Watchdog() != 0 || none.Close() != nil {
		t.Error("the nil notifier is not silent")
	}
	if n, err := New([]string{"PATH=/bin"}); n != nil || err != nil {
		t.Errorf("without a socket: %v, %v", n, err)
	}
	for _, name := range []string{"relative", "/no/such/socket"} {
		if n, err := New([]string{"NOTIFY_SOCKET=" + name}); n != nil || err == nil {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
	path := filepath.Join(t.TempDir(), "notify")
	m := listen(t, path)
	n := notifier(t, "NOTIFY_SOCKET="+path)
	_ = m.conn.Close()
	n.Alive() // must neither block nor panic
	_ = n.Close()
	n.Alive()
}

func TestWatchdogTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	listen(t, path)
	own := "WATCHDOG_PID=" + strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		environ []string
		want    time.Duration
	}{
		{nil, 0},
		{[]string{"WATCHDOG_USEC=30000000"}, 30 * time.Second},
		{[]string{"WATCHDOG_USEC=30000000", own}, 30 * time.Second},
		{[]string{"WATCHDOG_USEC=30000000", "WATCHDOG_PID=1"}, 0},
		{[]string{"WATCHDOG_USEC=-5"}, 0},
		{[]string{"WATCHDOG_USEC=soon"}, 0},
	} {
		if got := notifier(t, append(c.environ, "NOTIFY_SOCKET="+path)...).Watchdog(); got != c.want {
			t.Errorf("%v: %v, want %v", c.environ, got, c.want)
		}
	}
}
