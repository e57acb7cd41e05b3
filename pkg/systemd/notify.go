package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Notifier speaks to the manager that started this process. The nil Notifier
// is one without a manager. Its methods may be called from any goroutine, do
// not block for long and report nothing.
type Notifier struct {
	watchdog time.Duration

	mu   sync.Mutex
	conn *net.UnixConn
}

// sendPatience bounds one message: a manager that is stuck must not hold us up.
const sendPatience = time.Second

// New reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from an environment
// as os.Environ gives it. Without a socket it returns nil, which is usable; so
// it does beside an error, which says that the socket is there and cannot be
// spoken to. Close it when done.
func New(environ []string) (*Notifier, error) {
	path := lookup(environ, "NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "@") {
		return nil, fmt.Errorf("notify the service manager: NOTIFY_SOCKET %q is neither a path nor an abstract socket", path)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify the service manager: %w", err)
	}
	return &Notifier{conn: conn, watchdog: watchdog(environ)}, nil
}

func lookup(environ []string, name string) (value string) {
	for _, pair := range environ {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

// watchdog is WATCHDOG_USEC, unless it is meant for another process.
func watchdog(environ []string) time.Duration {
	if pid := lookup(environ, "WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(lookup(environ, "WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	return time.Duration(min(usec, int64(24*time.Hour/time.Microsecond))) * time.Microsecond
}

// Watchdog is how often the manager wants to hear Alive at the least, or 0 when
// it does not care. Say it twice as often.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}

// Ready says that start-up, or a reload, is over.
func (n *Notifier) Ready() { n.send("READY=1") }

// Alive says that the process does what it is for. A manager that has not heard
// it for the Watchdog time kills the process.
func (n *Notifier) Alive() { n.send("WATCHDOG=1") }

// Stopping says that a clean stop has begun.
func (n *Notifier) Stopping() { n.send("STOPPING=1") }

// Reloading says that settings are being read again; Ready ends it.
func (n *Notifier) Reloading() {
	if n != nil {
		n.send("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic(), 10))
	}
}

// Status is one line for "systemctl status". Line breaks in it become spaces,
// so that no text can pass for another message.
func (n *Notifier) Status(text string) {
	n.send("STATUS=" + strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' }), " "))
}

func (n *Notifier) send(message string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	// A full or vanished socket is the manager's trouble.
	_ = n.conn.SetWriteDeadline(time.Now().Add(sendPatience))
	_, _ = n.conn.Write([]byte(message))
}

// Close closes the socket; later messages are dropped.
func (n *Notifier) Close() error {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.conn.Close()
}
