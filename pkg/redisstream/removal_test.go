package redisstream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// A cursor that was to expire and does not, on a server whose clock stands: the wait
// ends with the time that a command may take, which is no deadline of the caller's,
// and with the caller's context.
func TestRemovalIsNotWaitedForInVain(t *testing.T) {
	k := newBase(t, redistest.StartEmbedded(t))
	k.set(keyspace.DefaultCursor, "9")
	r := openReader(k, 500*time.Millisecond)
	err := awaitRemoval(k.ctx(), r)
	storetest.WantErr(t, err, fault.Unreachable)
	if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still there") {
		t.Errorf("a command's time was over: %v", err)
	}
	ctx, cancel := context.WithCancel(k.ctx())
	time.AfterFunc(20*time.Millisecond, cancel)
	patient := openReader(k, time.Hour)
	if err := awaitRemoval(ctx, patient); !errors.Is(err, context.Canceled) || fault.ClassOf(err) == fault.Unreachable {
		t.Errorf("the context was over: %v", err)
	}
	k.do("del", keyspace.DefaultCursor)
	if err := awaitRemoval(k.ctx(), patient); err != nil {
		t.Errorf("it has gone: %v", err)
	}
}

func openReader(k *base, timeout time.Duration) *Reader {
	k.t.Helper()
	c := k.connection()
	c.CommandTimeout = timeout
	r, err := OpenReader(k.ctx(), ReaderConfig{Connection: c})
	storetest.Must(k.t, err)
	k.t.Cleanup(func() { _ = r.Close() })
	return r
}
