package redisstream

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// sized is a batch of entries of the given sizes, behind a position.
func sized(at event.Position, first event.Seq, sizes ...int) *event.Batch {
	b := storetest.Batch(at)
	for i, n := range sizes {
		b.Add(first+event.Seq(i), event.KindCommit, []byte(`{"repo":"did:plc:x","ops":[],"x":"`+strings.Repeat("x", n)+`"}`))
	}
	return b
}

// A server that limits values or its buffers does not stop the writer: what it does not
// take is left out, counted and named, and neighbours are stored.
func TestEntriesTheServerDoesNotTake(t *testing.T) {
	redistest.RequireReal(t)
	for name, args := range map[string][]string{
		"proto-max-bulk-len":        {"--proto-max-bulk-len", "1mb"},
		"client-query-buffer-limit": {"--client-query-buffer-limit", "2mb"},
		"both":                      {"--proto-max-bulk-len", "1mb", "--client-query-buffer-limit", "1mb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, redistest.Start(t, args...))
			var left []event.Seq
			w, _ := k.open(func(c *Config) {
				c.Refused = func(r *event.Reject, data []byte) {
					if r.Reason != event.ReasonLimit || len(data) < 1<<20 || !strings.Contains(r.Detail, "proto-max-bulk-len") {
						t.Errorf("%v, with %d bytes", r, len(data))
					}
					left = append(left, r.Seq)
				}
				c.Jitter = func() float64 { return 0 }
			})
			receipts := k.must(w, sized(storetest.Live, 1, 10, 20), sized(event.AfterSeq(2), 3, 30, 12_000_000, 40), sized(event.AfterSeq(5), 6, 5_000_000), sized(event.AfterSeq(6), 7, 50))
			k.want(7, 1, 2, 3, 5, 7)
			if !slices.Equal(left, []event.Seq{4, 6}) || receipts[1].Refused != 1 || receipts[1].Appended+receipts[1].Present != 2 || receipts[2].Refused != 1 || receipts[2].Appended != 0 {
				t.Errorf("left out %v, receipts %+v", left, receipts)
			}
		})
	}
}

// lowLimit is a proxy that ends a connection on which more is sent than it takes.
type lowLimit struct {
	net.Conn
	left int
}

func (l *lowLimit) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, syscall.ECONNRESET
	}
	return l.Conn.Write(p)
}

func (l *lowLimit) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, io.EOF
	}
	return l.Conn.Read(p)
}

// Where ordinary entries are too large, only the operator can help: the writer ends and
// says how.
func TestBatchesThatAreNotTaken(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, k *kit) {
		w, _ := k.open(func(c *Config) {
			c.Jitter = func() float64 { return 0 }
			c.Refused = func(r *event.Reject, _ []byte) { t.Errorf("left out: %v", r) }
			c.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				return &lowLimit{Conn: conn, left: 500_000}, err
			}
		})
		k.must(w, sized(storetest.Live, 1, 1000))
		_, err := w.Commit(k.Ctx(), []*event.Batch{sized(event.AfterSeq(1), 2, 300_000, 300_000)})
		if fault.ClassOf(err) != fault.Refused || !strings.Contains(fault.HintOf(err), "client-query-buffer-limit") {
			t.Errorf("%v (hint: %s)", err, fault.HintOf(err))
		}
		k.want(1, 1)
	})
}

// slowLink passes so many bytes a second, in both directions.
type slowLink struct {
	net.Conn
	rate int
	mu   sync.Mutex
	gone bool // nothing is passed any more
}

func (l *slowLink) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		part := p[n:min(len(p), n+16<<10)]
		l.mu.Lock()
		gone := l.gone
		l.mu.Unlock()
		if gone {
			return n, nil
		}
		time.Sleep(time.Duration(len(part)) * time.Second / time.Duration(l.rate))
		var wrote int
		wrote, err = l.Conn.Write(part)
		n += wrote
	}
	return n, err
}

// A large entry on a link on which it takes longer than the command timeout is stored
// at the first attempt: it would be sent again for ever.
func TestLargeEntriesOnASlowLink(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	k := newKit(t, redistest.Start(t))
	w, _ := k.open(func(c *Config) {
		c.CommandTimeout = 500 * time.Millisecond
		c.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &slowLink{Conn: conn, rate: 2 << 20}, err
		}
	})
	k.must(w, sized(storetest.Live, 1, 10, 5_000_000), sized(event.AfterSeq(2), 3, 10))
	k.want(3, 1, 2, 3)
	if told := k.told(); len(told) > 0 {
		t.Errorf("the link is told as an outage: %s", fmt.Sprint(told))
	}
}
