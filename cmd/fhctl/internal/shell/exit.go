package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/text"
)

// ExitCodes is docs/exit-codes.md, the one place where a class becomes a code.
var ExitCodes = map[fault.Class]int{
	fault.Internal: 1, fault.Usage: 2, fault.Findings: 3, fault.Unreachable: 4, fault.Refused: 5,
	fault.Cursor: 6, fault.Conflict: 7, fault.Data: 8, fault.Deadline: 124, fault.Interrupted: 130,
}

// ErrInterrupted is the cause of a context that a signal cancelled.
var ErrInterrupted = fault.New(fault.Interrupted, errors.New("interrupted"), "")

// Run executes one command line of the program that newRoot makes and gives the exit code.
func Run(args []string, a *Env, newRoot func(*Env) *cobra.Command) (code int) {
	// Go's own exit code for a panic, 2, already means usage.
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(a.Err, "fhctl: internal error: %s\n%s", text.Escape(fmt.Sprint(p)), debug.Stack())
			code = ExitCodes[fault.Internal]
		}
	}()
	// A reader that has seen enough, as in "| head", is no failure, and a log
	// nobody reads must not end ingestion: writes fail instead of killing.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := interruptible()
	defer stop()
	return a.Execute(ctx, args, newRoot)
}

// Execute is run under a context of the caller's.
func (a *Env) Execute(ctx context.Context, args []string, newRoot func(*Env) *cobra.Command) (code int) {
	a.args = args
	root := newRoot(a)
	root.SetArgs(agoArgs(args))
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !a.Started && fault.ClassOf(err) == fault.Internal {
		err = UsageError(err, fmt.Sprintf("see %q", cmd.CommandPath()+" --help"))
	}
	if errors.Is(err, context.Canceled) && fault.ClassOf(err) == fault.Internal && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = a.Help.Err
	}
	return report(a.Err, err)
}

// FirstError remembers why a writer failed first: cobra does not look.
type FirstError struct {
	W   io.Writer
	Err error
}

// Write passes b on, and remembers the first error.
func (f *FirstError) Write(b []byte) (int, error) {
	n, err := f.W.Write(b)
	if f.Err == nil {
		f.Err = err
	}
	return n, err
}

// interruptible is cancelled by the first SIGINT or SIGTERM, so that a command
// stops cleanly. The second leaves at once.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for range 2 {
			select {
			case <-signals:
			case <-done:
				return
			}
			if ctx.Err() != nil {
				os.Exit(ExitCodes[fault.Interrupted])
			}
			cancel(ErrInterrupted)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// withTimeout runs do under a limit, if there is one. When the limit passed, it
// is what ended do, whatever do made of it.
func withTimeout(ctx context.Context, limit time.Duration, waits *atomic.Pointer[string], do func(context.Context) error) error {
	if limit == 0 {
		return do(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := do(ctx)
	if err != nil && fault.ClassOf(err) == fault.Usage {
		return err // more time would not have helped
	}
	if fault.Ended(ctx) == nil || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return err
	}
	passed, hint := fmt.Errorf("the timeout of %s passed first", limit), "raise --timeout, or look at what it was waiting for"
	waited := besideDeadline(err)
	if relay := waits.Load(); waited == "" && relay != nil {
		waited = *relay
	}
	if waited != "" {
		passed = fmt.Errorf("%w: %s", passed, waited)
		if known := fault.HintOf(err); !strings.HasPrefix(known, "is Redis running") { // it may well be
			hint = cmp.Or(known, hint)
		}
	}
	return fault.New(fault.Deadline, passed, hint)
}

// besideDeadline is what an error says besides that a deadline passed.
func besideDeadline(err error) string {
	if err == nil {
		return ""
	}
	said := strings.ReplaceAll(err.Error(), context.DeadlineExceeded.Error(), "")
	for _, hole := range [][2]string{{"(Redis: )", ""}, {":  (", " ("}, {": : ", ": "}} {
		said = strings.ReplaceAll(said, hole[0], hole[1])
	}
	return strings.Trim(said, ": ")
}

// report prints an error once, each part of a joined one with its hint, and
// gives the exit code.
func report(w io.Writer, err error) int {
	if err == nil || StdoutClosed(err) {
		return 0
	}
	code := ExitCodes[fault.ClassOf(classWrite(err))]
	if err == ErrInterrupted {
		return code // whoever pressed the key knows
	}
	parts := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		parts = joined.Unwrap()
	}
	told := map[string]bool{}
	for _, part := range parts {
		if told[part.Error()] {
			continue // what stopped the work also kept it from ending
		}
		told[part.Error()] = true
		part = classWrite(part)
		said := oneLine(part)
		fmt.Fprintf(w, "fhctl: %s\n", text.Escape(said))
		if hint := fault.HintOf(part); hint != "" {
			fmt.Fprintf(w, "hint: %s\n", text.Escape(Spell(hint)))
		}
	}
	return code
}

// oneLine is an error's text, in which errors that were joined stand behind one another.
// Line ends of what others sent stay, to be escaped.
func oneLine(err error) string {
	said := err.Error()
	for e := err; e != nil; e = errors.Unwrap(e) {
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			var lines, parts []string
			for _, part := range joined.Unwrap() {
				lines, parts = append(lines, part.Error()), append(parts, oneLine(part))
			}
			if strings.Join(lines, "\n") == e.Error() { // else it has words of its own
				return strings.Replace(said, e.Error(), strings.Join(parts, "; "), 1)
			}
			return said
		}
	}
	return said
}

// fullDisk are the system's errors of a place that takes no more bytes.
var fullDisk = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EROFS, syscall.EIO}

// classWrite classes a write that the disk refused, where nobody did: what the
// output goes to is out of reach, and the program is well.
func classWrite(err error) error {
	if fault.ClassOf(err) != fault.Internal || !slices.ContainsFunc(fullDisk, func(e error) bool { return errors.Is(err, e) }) {
		return err
	}
	hint := "make room on that disk, or name another place, then repeat"
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == os.Stdout.Name() {
		hint = "make room where standard output goes, then repeat: what was written is cut short"
	}
	return fault.New(fault.Unreachable, err, hint)
}

// StdoutClosed reports whether the reader of our output went away. Sockets may
// break with the same number, so the name counts.
func StdoutClosed(err error) bool {
	path, ok := errors.AsType[*fs.PathError](err)
	return ok && path.Path == os.Stdout.Name() && errors.Is(err, syscall.EPIPE)
}
