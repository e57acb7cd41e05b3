package redisstream

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
)

func TestTLS(t *testing.T) {
	redistest.RequireReal(t)
	cert, key := storetest.Certificate(t)
	port := redistest.FreePort(t)
	k := newKit(t, redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert))
	if strings.Contains(k.Server.Log(), "TLS") {
		t.Skip("this redis-server was built without TLS")
	}
	url := "rediss://127.0.0.1:" + port
	full := conn.TLS{CA: cert, Cert: cert, Key: key}
	named := full
	named.ServerName = "redis.test"
	for name, files := range map[string]conn.TLS{"by address": full, "by name": named, "unverified": {SkipVerify: true, Cert: cert, Key: key}} {
		t.Run(name, func(t *testing.T) {
			w, err := Open(k.Ctx(), k.config(func(c *Config) { c.URL, c.TLS = url, files }))
			storetest.Must(t, err)
			storetest.Must(t, w.Close())
		})
	}
	wrong := full
	wrong.ServerName = "other.test"
	for name, files := range map[string]conn.TLS{"unknown authority": {Cert: cert, Key: key}, "wrong name": wrong} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(k.Ctx(), k.config(func(c *Config) { c.URL, c.TLS = url, files }))
			storetest.WantErr(t, err, fault.Unreachable)
		})
	}
}

// A URL without TLS at a port that wants it: the log of the wait says what may be
// wrong, as the error of a command does.
func TestCleartextAtATLSPortIsLoggedWithItsHint(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	cert, key := storetest.Certificate(t)
	port := redistest.FreePort(t)
	k := newKit(t, redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert))
	if strings.Contains(k.Server.Log(), "TLS") {
		t.Skip("this redis-server was built without TLS")
	}
	ctx, cancel := context.WithCancel(k.Ctx())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = Open(ctx, k.config(func(c *Config) { c.URL = "redis://127.0.0.1:" + port }))
	}()
	storetest.Eventually(t, "the wait", func() bool { return strings.Contains(k.Logged.String(), "waiting") })
	cancel()
	<-ended
	if log := k.Logged.String(); !strings.Contains(log, "cause=connection") || !strings.Contains(log, `hint="a port that wants TLS does this (write rediss://)`) {
		t.Error(log)
	}
}

func TestSentinel(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	host, port, _ := strings.Cut(k.Server.Addr(), ":")
	sentinel := redistest.StartSentinel(t, "mymaster", host, port)
	sentinelURL := func(c *Config) { c.URL = "redis-sentinel://" + sentinel + "/mymaster" }
	w, _ := k.open(sentinelURL)
	k.must(w, storetest.Batch(storetest.Live, 1, 2))
	k.want(2, 1, 2)
	wantUnknownMaster(t, "redis-sentinel://"+sentinel+"/othr", sentinel)

	// A Sentinel that forgets the name while a Writer runs is waited for.
	ask := redis.NewClient(&redis.Options{Addr: sentinel})
	t.Cleanup(func() { _ = ask.Close() })
	storetest.Must(t, ask.Do(k.Ctx(), "sentinel", "remove", "mymaster").Err())
	w.client.Interrupt()
	ended := make(chan error, 1)
	go func() {
		_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.Behind(2), 3)})
		ended <- err
	}()
	storetest.Eventually(t, "the wait", func() bool {
		return slices.ContainsFunc(k.told(), func(s event.Store) bool {
			return s.Err != nil && strings.Contains(s.Err.Error(), `knows no master named "mymaster"`)
		})
	})
	storetest.Must(t, ask.Do(k.Ctx(), "sentinel", "monitor", "mymaster", host, port, "1").Err())
	storetest.Must(t, <-ended)
	k.want(3, 1, 2, 3)
}

// A plain Redis behind a URL for Sentinels is told as what it is.
func TestSentinelURLAtARedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	_, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: "redis-sentinel://" + server.Addr() + "/m"}})
	if hint := fault.HintOf(err); !strings.Contains(hint, "a Redis and no Sentinel: write the URL with redis://") {
		t.Errorf("%v; hint %q", err, hint)
	}
}
