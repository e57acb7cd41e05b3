package redisstream

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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErr checks class and that there is a hint.
func wantErr(t testing.TB, err error, class fault.Class) {
	t.Helper()
	if err == nil || fault.ClassOf(err) != class {
		t.Fatalf("error %v has class %s, want %s", err, fault.ClassOf(err), class)
	}
	if fault.HintOf(err) == "" {
		t.Fatalf("error %v has no hint", err)
	}
}

func noCanary(t testing.TB, canary string, err error, texts ...string) {
	t.Helper()
	texts = append(texts, fmt.Sprintf("%v %+v %#v %s", err, err, err, fault.HintOf(err)))
	for _, text := range texts {
		if strings.Contains(text, canary) {
			t.Fatalf("the secret is in: %s", text)
		}
	}
}

// eventually waits for a condition, bounded.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func logTo(b *lockedBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
