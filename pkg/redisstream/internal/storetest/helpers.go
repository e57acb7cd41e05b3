package storetest

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
)

// Must ends the test with an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// WantErr checks class and that there is a hint.
func WantErr(t testing.TB, err error, class fault.Class) {
	t.Helper()
	if err == nil || fault.ClassOf(err) != class {
		t.Fatalf("error %v has class %s, want %s", err, fault.ClassOf(err), class)
	}
	if fault.HintOf(err) == "" {
		t.Fatalf("error %v has no hint", err)
	}
}

func NoCanary(t testing.TB, canary string, err error, texts ...string) {
	t.Helper()
	texts = append(texts, fmt.Sprintf("%v %+v %#v %s", err, err, err, fault.HintOf(err)))
	for _, text := range texts {
		if strings.Contains(text, canary) {
			t.Fatalf("the secret is in: %s", text)
		}
	}
}

// Eventually waits for a condition, bounded.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen in time", what)
		}
	}
}

type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *Log) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *Log) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func LogTo(b *Log) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
