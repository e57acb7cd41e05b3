package testkit

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
type Kit struct {
	T      testing.TB
	Server *redistest.Server
	Client *redis.Client
	Logged *storetest.Log
}

// New is a Base on a server.
func New(t testing.TB, server *redistest.Server) *Kit {
	return &Kit{T: t, Server: server, Client: server.Client(), Logged: &storetest.Log{}}
}

// Connection leads to the server; what it logs is in log.
func (k *Kit) Connection() conn.Connection {
	return conn.Connection{URL: k.Server.URL(), CommandTimeout: 2 * time.Second, Logger: storetest.LogTo(k.Logged)}
}

func (k *Kit) Ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	k.T.Cleanup(cancel)
	return ctx
}

func (k *Kit) Get(key string) string {
	k.T.Helper()
	text, err := k.Client.Get(k.Ctx(), key).Result()
	if err != nil && err != redis.Nil {
		k.T.Fatal(err)
	}
	return text
}

func (k *Kit) Set(key, value string) {
	k.T.Helper()
	if err := k.Client.Set(k.Ctx(), key, value, 0).Err(); err != nil {
		k.T.Fatal(err)
	}
}

func (k *Kit) Do(args ...any) {
	k.T.Helper()
	if err := k.Client.Do(k.Ctx(), args...).Err(); err != nil {
		k.T.Fatalf("%v: %v", args, err)
	}
}

// Add appends entries with chosen ids and seqs, quickly.
func (k *Kit) Add(n int, at func(i int) (id string, seq event.Seq)) {
	k.T.Helper()
	for from := 0; from < n; from += 5000 {
		pipe := k.Client.Pipeline()
		for i := from; i < min(n, from+5000); i++ {
			id, seq := at(i)
			pipe.Do(k.Ctx(), "xadd", keyspace.DefaultStream, id, "type", "commit", "data", `{"repo":"did:plc:x","ops":[]}`, "seq", seq.String())
		}
		if _, err := pipe.Exec(k.Ctx()); err != nil {
			k.T.Fatal(err)
		}
	}
}

func (k *Kit) User(name, password, commands string) {
	k.T.Helper()
	args := []any{"acl", "setuser", name, "reset", "on", ">" + password, "~firehose:*", "&firehose:*"}
	for _, word := range strings.Fields(commands) {
		args = append(args, word)
	}
	k.Do(args...)
}
