package shell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
)

func TestReport(t *testing.T) {
	closed := &fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.EPIPE}
	socket := &fs.PathError{Op: "write", Path: "socket", Err: syscall.EPIPE}
	two := errors.Join(
		fault.New(fault.Usage, errors.New("one"), "do this"),
		fault.New(fault.Usage, errors.New("two"), "do that"))
	for name, v := range map[string]struct {
		err  error
		code int
		text string
	}{
		"nothing":       {nil, 0, ""},
		"plain":         {errors.New("boom"), 1, "fhctl: boom\n"},
		"classed":       {fmt.Errorf("dial: %w", fault.New(fault.Unreachable, errors.New("refused"), "start it")), 4, "fhctl: dial: refused\nhint: start it\n"},
		"joined":        {two, 2, "fhctl: one\nhint: do this\nfhctl: two\nhint: do that\n"},
		"interrupted":   {ErrInterrupted, 130, ""},
		"pipe closed":   {fmt.Errorf("print: %w", closed), 0, ""},
		"socket closed": {socket, 1, "fhctl: write socket: broken pipe\n"},
		"untrusted":     {errors.New("relay says \x1b[2J\nhint: rm"), 1, `fhctl: relay says \x1b[2J\nhint: rm` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if code := report(&out, v.err); code != v.code || out.String() != v.text {
				t.Errorf("exits %d with %q, want %d with %q", code, out.String(), v.code, v.text)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		stops := func(ctx context.Context) error { <-ctx.Done(); return nil }
		fails := func(context.Context) error { return fs.ErrNotExist }
		for name, v := range map[string]struct {
			limit time.Duration
			do    func(context.Context) error
			class fault.Class
		}{
			"waits for ever": {time.Hour, waits, fault.Deadline},
			"stops cleanly":  {time.Hour, stops, fault.Deadline},
			"fails before":   {time.Hour, fails, fault.Internal},
			"no limit":       {0, fails, fault.Internal},
		} {
			err := withTimeout(t.Context(), v.limit, new(atomic.Pointer[string]), v.do)
			if err == nil || fault.ClassOf(err) != v.class {
				t.Errorf("%s: %v (%s), want %s", name, err, fault.ClassOf(err), v.class)
			}
		}
	})
}
