package admin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/testkit"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// A cursor that was to expire and does not, on a server whose clock stands: the wait
// ends with the time that a command may take, which is no deadline of the caller's,
// and with the caller's context.
func TestRemovalIsNotWaitedForInVain(t *testing.T) {
	k := testkit.New(t, redistest.StartEmbedded(t))
	k.Set(keyspace.DefaultCursor, "9")
	r := openReader(k, 500*time.Millisecond)
	err := awaitRemoval(k.Ctx(), r)
	storetest.WantErr(t, err, fault.Unreachable)
	if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still there") {
		t.Errorf("a command's time was over: %v", err)
	}
	ctx, cancel := context.WithCancel(k.Ctx())
	time.AfterFunc(20*time.Millisecond, cancel)
	patient := openReader(k, time.Hour)
	if err := awaitRemoval(ctx, patient); !errors.Is(err, context.Canceled) || fault.ClassOf(err) == fault.Unreachable {
		t.Errorf("the context was over: %v", err)
	}
	k.Do("del", keyspace.DefaultCursor)
	if err := awaitRemoval(k.Ctx(), patient); err != nil {
		t.Errorf("it has gone: %v", err)
	}
}

func openReader(k *testkit.Kit, timeout time.Duration) *reader.Reader {
	k.T.Helper()
	c := k.Connection()
	c.CommandTimeout = timeout
	r, err := reader.Open(k.Ctx(), reader.Config{Connection: c})
	storetest.Must(k.T, err)
	k.T.Cleanup(func() { _ = r.Close() })
	return r
}
