package reader

import (
	"errors"
	"testing"

	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redistest"
)

func TestLastDeleted(t *testing.T) {
	redistest.RequireReal(t)
	server := redistest.Start(t)
	r, err := Open(t.Context(), Config{Connection: conn.Connection{URL: server.URL()}, StreamKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := r.LastDeleted(t.Context()); !errors.Is(err, ErrNoStream) {
		t.Errorf("no stream: %v", err)
	}
	for _, id := range []string{"1-0", "2-0", "3-0", "4-0"} {
		server.Do("XADD", "s", id, "a", "b")
	}
	server.Do("XTRIM", "s", "MAXLEN", "3")
	if id, err := r.LastDeleted(t.Context()); id != "" || err != nil {
		t.Errorf("after trimming: %q, %v", id, err)
	}
	server.Do("XDEL", "s", "3-0")
	if id, err := r.LastDeleted(t.Context()); id != "3-0" || err != nil {
		t.Errorf("after XDEL: %q, %v", id, err)
	}
}
