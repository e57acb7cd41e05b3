package redistest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Slots is how many slots a Redis Cluster divides its keys into.
const Slots = 16384

// Cluster is a Redis Cluster of real redis-server processes on loopback, whose
// nodes can be killed, paused and restarted one by one.
type Cluster struct {
	t testing.TB
	// Masters are the nodes that were given slots, in slot order; Replicas
	// those that follow them: the first replica of each master, then the
	// second of each. Who is which later, after a failover, the cluster says.
	Masters  []*Server
	Replicas []*Server
	id       map[*Server]string
}

// StartCluster runs a cluster whose masters share the slots evenly, each with
// that many replicas, and returns once every node calls it whole. It takes about
// three seconds: a new node waits for two before it serves. The args go to every
// node, for example "--appendonly", "yes". Without redis-server it skips.
func StartCluster(t testing.TB, masters, replicas int, args ...string) *Cluster {
	t.Helper()
	RequireReal(t)
	c := &Cluster{t: t, id: map[*Server]string{}}
	for range masters * (1 + replicas) {
		node := c.startNode(args)
		if len(c.Masters) < masters {
			c.Masters = append(c.Masters, node)
		} else {
			c.Replicas = append(c.Replicas, node)
		}
	}
	c.meet()
	for i, master := range c.Masters {
		master.Do("cluster", "addslotsrange", i*Slots/masters, (i+1)*Slots/masters-1)
	}
	c.until("every node knows every other", func() error { return c.each(c.knows) })
	for i, replica := range c.Replicas {
		replica.Do("cluster", "replicate", c.id[c.Masters[i%masters]])
	}
	c.WaitWhole()
	return c
}

// startNode gives the node's bus a port of its own choosing: ten thousand above
// a port of the system's choosing there may be none.
func (c *Cluster) startNode(args []string) *Server {
	c.t.Helper()
	node := Start(c.t, append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", FreePort(c.t),
	}, args...)...)
	id, _ := node.Do("cluster", "myid").(string)
	c.id[node] = id
	return node
}

func (c *Cluster) meet() {
	c.t.Helper()
	first := c.Masters[0]
	for i, node := range c.nodes() {
		node.Do("cluster", "set-config-epoch", i+1)
		if node != first {
			first.Do("cluster", "meet", "127.0.0.1", node.port, node.bus())
		}
	}
}

// bus is the port that cluster nodes talk to each other on.
func (s *Server) bus() string {
	i := slices.Index(s.args, "--cluster-port")
	return s.args[i+1]
}

func (c *Cluster) nodes() []*Server { return append(slices.Clone(c.Masters), c.Replicas...) }

// URL is all nodes as a redis-cluster:// URL.
func (c *Cluster) URL() string {
	var addrs []string
	for _, node := range c.nodes() {
		addrs = append(addrs, node.Addr())
	}
	return "redis-cluster://" + strings.Join(addrs, ",")
}

// Client is a connection to the cluster for the test itself, which retries and
// follows redirections; closed when the test ends.
func (c *Cluster) Client() *redis.ClusterClient {
	var addrs []string
	for _, node := range c.nodes() {
		addrs = append(addrs, node.Addr())
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Protocol: 2, MaxRedirects: 16})
	c.t.Cleanup(func() { _ = client.Close() })
	return client
}

// WaitWhole waits until every node that answers calls the cluster whole and the
// replicas have taken over their masters' data.
func (c *Cluster) WaitWhole() {
	c.t.Helper()
	c.until("the cluster is whole", func() error {
		return c.each(func(node *Server) error {
			info, err := c.ask(node, "cluster", "info")
			if err == nil && !strings.Contains(fmt.Sprint(info), "cluster_state:ok") {
				err = fmt.Errorf("node %s: %.40v", node.Addr(), info)
			}
			return errors.Join(err, c.linked(node))
		})
	})
}

// linked is nil for a master, and for a replica that follows one.
func (c *Cluster) linked(node *Server) error {
	info, err := c.ask(node, "info", "replication")
	text := fmt.Sprint(info)
	if err == nil && slices.Contains(c.Replicas, node) && !strings.Contains(text, "role:master") && !strings.Contains(text, "master_link_status:up") {
		err = fmt.Errorf("node %s does not follow its master yet", node.Addr())
	}
	return err
}

func (c *Cluster) knows(node *Server) error {
	list, err := c.ask(node, "cluster", "nodes")
	text := fmt.Sprint(list)
	if n := strings.Count(strings.TrimSpace(text), "\n") + 1; err == nil && (n < len(c.nodes()) || strings.Contains(text, "handshake")) {
		err = fmt.Errorf("node %s knows %d nodes", node.Addr(), n)
	}
	return err
}

// each asks every node whose process runs.
func (c *Cluster) each(check func(*Server) error) error {
	for _, node := range c.nodes() {
		select {
		case <-node.gone:
			continue
		default:
		}
		if err := check(node); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) until(what string, check func() error) {
	c.t.Helper()
	for deadline := time.Now().Add(3 * patience); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("redistest: waited in vain until %s: %v", what, err)
		}
	}
}

// ask runs one command on one node; a node that does not answer is an error.
func (c *Cluster) ask(node *Server, args ...any) (any, error) {
	client := redis.NewClient(&redis.Options{Addr: node.Addr(), Protocol: 2, PoolSize: 1, MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: 5 * time.Second})
	defer func() { _ = client.Close() }()
	return client.Do(context.Background(), args...).Result()
}

// Slot is the slot of a key, also while nodes are down.
func Slot(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
			key = tag
		}
	}
	crc := uint16(0)
	for _, b := range []byte(key) {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % Slots
}

// Master is the node that serves a key's slot now, in its own opinion; it waits
// until there is one. A node that does not run has no opinion.
func (c *Cluster) Master(key string) *Server {
	c.t.Helper()
	var master *Server
	c.until("some node serves the slot of "+key, func() error {
		master = nil
		_ = c.each(func(node *Server) error {
			list, err := c.ask(node, "cluster", "slots")
			if err == nil && portOf(list, Slot(key)) == node.port {
				master = node
			}
			return nil
		})
		if master == nil {
			return fmt.Errorf("no node serves slot %d", Slot(key))
		}
		return nil
	})
	return master
}

// portOf reads CLUSTER SLOTS; -1 when the slot is nobody's.
func portOf(list any, slot int) int {
	rows, _ := list.([]any)
	for _, row := range rows {
		fields, _ := row.([]any)
		if len(fields) < 3 {
			continue
		}
		from, _ := fields[0].(int64)
		to, _ := fields[1].(int64)
		node, _ := fields[2].([]any)
		if int64(slot) < from || int64(slot) > to || len(node) < 2 {
			continue
		}
		port, _ := strconv.Atoi(fmt.Sprint(node[1]))
		return port
	}
	return -1
}

// SlotMove is a slot on its way from one master to another. While it is under
// way the nodes answer ASK for keys that are gone and TRYAGAIN for commands
// whose keys are partly gone.
type SlotMove struct {
	c        *Cluster
	slot     int
	from, to *Server
}

// BeginMove marks the slot of a key as leaving its master for another; the keys
// stay where they are until Migrate.
func (c *Cluster) BeginMove(key string, to *Server) *SlotMove {
	c.t.Helper()
	m := &SlotMove{c: c, slot: Slot(key), from: c.Master(key), to: to}
	if m.from == to {
		c.t.Fatalf("redistest: slot %d is already at %s", m.slot, to.Addr())
	}
	to.Do("cluster", "setslot", m.slot, "importing", c.id[m.from])
	m.from.Do("cluster", "setslot", m.slot, "migrating", c.id[to])
	return m
}

// Migrate moves up to n keys of the slot, in the server's order, and reports how
// many are left behind.
func (m *SlotMove) Migrate(n int) (left int) {
	m.c.t.Helper()
	keys, _ := m.from.Do("cluster", "getkeysinslot", m.slot, n).([]any)
	for _, key := range keys {
		m.from.Do("migrate", "127.0.0.1", m.to.port, key, 0, 10_000)
	}
	rest, _ := m.from.Do("cluster", "countkeysinslot", m.slot).(int64)
	return int(rest)
}

// Finish moves the keys that are left and gives the slot to its new master.
func (m *SlotMove) Finish() {
	m.c.t.Helper()
	for m.Migrate(100) > 0 {
	}
	for _, node := range append([]*Server{m.to, m.from}, m.c.Masters...) {
		// A node that has just become a replica refuses, and need not know.
		_, _ = m.c.ask(node, "cluster", "setslot", m.slot, "node", m.c.id[m.to])
	}
	m.c.until("the slot has moved", func() error {
		if at := m.c.Master("{" + tagOf(m.slot) + "}"); at != m.to {
			return fmt.Errorf("slot %d is at %s", m.slot, at.Addr())
		}
		return nil
	})
}

// tagOf finds a hash tag of a slot.
func tagOf(slot int) string {
	for i := 0; ; i++ {
		if tag := strconv.Itoa(i); Slot(tag) == slot {
			return tag
		}
	}
}

// FailOver kills the master of a key, waits until a replica serves its slot and
// the cluster is whole again, and returns the node that was killed.
func (c *Cluster) FailOver(key string) (killed *Server) {
	c.t.Helper()
	killed = c.Master(key)
	killed.Kill()
	c.Master(key)
	c.WaitWhole()
	return killed
}
