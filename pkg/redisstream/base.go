package redisstream

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/redis/go-redis/v9"
)

// Base is a server, its test client, and a log.
type base struct {
	t      testing.TB
	server *redistest.Server
	client *redis.Client
	log    *storetest.Log
}

// newBase is a Base on a server.
func newBase(t testing.TB, server *redistest.Server) *base {
	return &base{t: t, server: server, client: server.Client(), log: &storetest.Log{}}
}

// connection leads to the server; what it logs is in log.
func (k *base) connection() conn.Connection {
	return conn.Connection{URL: k.server.URL(), CommandTimeout: 2 * time.Second, Logger: storetest.LogTo(k.log)}
}

func (k *base) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	k.t.Cleanup(cancel)
	return ctx
}

func (k *base) get(key string) string {
	k.t.Helper()
	text, err := k.client.Get(k.ctx(), key).Result()
	if err != nil && err != redis.Nil {
		k.t.Fatal(err)
	}
	return text
}

func (k *base) set(key, value string) {
	k.t.Helper()
	if err := k.client.Set(k.ctx(), key, value, 0).Err(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *base) do(args ...any) {
	k.t.Helper()
	if err := k.client.Do(k.ctx(), args...).Err(); err != nil {
		k.t.Fatalf("%v: %v", args, err)
	}
}

// add appends entries with chosen ids and seqs, quickly.
func (k *base) add(n int, at func(i int) (id string, seq event.Seq)) {
	k.t.Helper()
	for from := 0; from < n; from += 5000 {
		pipe := k.client.Pipeline()
		for i := from; i < min(n, from+5000); i++ {
			id, seq := at(i)
			pipe.Do(k.ctx(), "xadd", keyspace.DefaultStream, id, "type", "commit", "data", `{"repo":"did:plc:x","ops":[]}`, "seq", seq.String())
		}
		if _, err := pipe.Exec(k.ctx()); err != nil {
			k.t.Fatal(err)
		}
	}
}

func (k *base) user(name, password, commands string) {
	k.t.Helper()
	args := []any{"acl", "setuser", name, "reset", "on", ">" + password, "~firehose:*", "&firehose:*"}
	for _, word := range strings.Fields(commands) {
		args = append(args, word)
	}
	k.do(args...)
}
