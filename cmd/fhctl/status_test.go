package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// G6: an open status page does not hold up a clean stop, and is told nothing
// that is not so: the whole program, its page and its stream.
func TestSIGTERMWithTheStatusPageOpen(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 300)
	server, relay := redistest.Start(t), c.serve(t, "")
	p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest")
	eventually(t, time.Minute, func() error { return c.reached(t, server) })
	address := p.pageAddress()
	eventually(t, 20*time.Second, func() error {
		answer, err := http.Get(address)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		page, err := io.ReadAll(answer.Body)
		if err != nil || !strings.Contains(string(page), "Connected and storing") || !strings.Contains(string(page), c.last.String()) {
			return fmt.Errorf("the page does not tell state and cursor (%v):\n%.3000s", err, page)
		}
		return nil
	})
	var open []io.ReadCloser
	for range 3 {
		stream, err := http.Get(address + "live")
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Body.Close()
		if line, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil || line != "event: graphs\n" {
			t.Fatalf("%q, %v", line, err)
		}
		open = append(open, stream.Body)
	}
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
	for _, stream := range open {
		if _, err := io.Copy(io.Discard, stream); err != nil {
			t.Errorf("the stream was cut instead of ended: %v", err)
		}
	}
}

// pageAddress is where the log says that the page is.
func (p *program) pageAddress() string {
	p.t.Helper()
	_, rest, ok := strings.Cut(p.output(), `"page":"`)
	if !ok {
		p.t.Fatalf("no page address in the log:\n%s", lastOf(p.output()))
	}
	url, _, _ := strings.Cut(rest, `"`)
	return url
}
