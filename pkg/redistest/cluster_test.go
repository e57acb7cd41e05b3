package redistest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// The slot of a key is what the server says, hash tags included.
func TestSlotIsTheServers(t *testing.T) {
	RequireReal(t)
	s := Start(t, "--cluster-enabled", "yes", "--cluster-port", FreePort(t))
	for _, key := range []string{"firehose:events", "firehose:events:{0}", "firehose:python_cursor:{0}:meta", "{}x", "a{b}{c}", "a{b"} {
		if want := s.Do("cluster", "keyslot", key); int64(Slot(key)) != want {
			t.Errorf("slot of %s is %d, the server says %v", key, Slot(key), want)
		}
	}
}

// A cluster forms, moves a slot with its keys by way of ASK, and survives the
// death of a master that has a replica.
func TestClusterMovesAndFailsOver(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, 1)
	client, ctx := c.Client(), t.Context()
	keys := []string{"a:{0}", "b:{0}"}
	for _, key := range keys {
		if err := client.Set(ctx, key, "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	from := c.Master(keys[0])
	to := c.Masters[0]
	if to == from {
		to = c.Masters[1]
	}
	move := c.BeginMove(keys[0], to)
	if left := move.Migrate(1); left != 1 {
		t.Fatalf("%d keys left after one of two was moved", left)
	}
	raw := redis.NewClient(&redis.Options{Addr: from.Addr(), Protocol: 2, MaxRetries: -1})
	defer raw.Close()
	if err := raw.MGet(ctx, keys[0], keys[1]).Err(); err == nil || !strings.HasPrefix(err.Error(), "TRYAGAIN") {
		t.Fatalf("both keys in the middle of a move: %v", err)
	}
	move.Migrate(1)
	if err := raw.Get(ctx, keys[0]).Err(); err == nil || !strings.HasPrefix(err.Error(), "ASK") {
		t.Fatalf("a key that is gone: %v", err)
	}
	move.Finish()
	if got := client.Get(ctx, keys[1]).Val(); got != "v" || c.Master(keys[0]) != to {
		t.Fatalf("after the move: %q at %s", got, c.Master(keys[0]).Addr())
	}
	c.until("the replica has both keys", func() error { // or they die with their master
		for _, replica := range c.Replicas {
			info, _ := c.ask(replica, "info", "replication")
			size, _ := c.ask(replica, "dbsize")
			if size == int64(len(keys)) && strings.Contains(fmt.Sprint(info), fmt.Sprintf("master_port:%d\r", to.port)) {
				return nil
			}
		}
		return errors.New("it has not")
	})
	if dead := c.FailOver(keys[0]); dead != to {
		t.Fatal("somebody else was killed")
	}
	client.ReloadState(ctx)
	if got, err := client.Get(ctx, keys[0]).Result(); got != "v" {
		t.Fatalf("after the failover: %q, %v", got, err)
	}
}
