package redisstream

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// TestModelExactlyOnceInOrder plays a relay of consecutive seqs to several
// writers on one stream while replies are lost, connections are cut, scripts
// and cursors vanish and processes are replaced. Whatever happens, the stream
// holds each seq once, in order, without a gap (G1 to G3).
func TestModelExactlyOnceInOrder(t *testing.T) {
	t.Parallel()
	seeds := uint64(2)
	if testing.Short() {
		seeds = 1
	}
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		for seed := range seeds {
			k := newKit(t, server)
			k.Do("flushall")
			m := &model{kit: k, rand: rand.New(rand.NewPCG(seed, 7)), proxy: redistest.NewProxy(t, server.Addr())}
			m.play(150)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	})
}

type model struct {
	*kit
	rand    *rand.Rand
	proxy   *redistest.Proxy
	writers []*player
	last    event.Seq // the relay's newest event
}

// player is one process: a writer and how far it has read.
type player struct {
	w  *Writer
	at event.Position
}

func (m *model) join() *player {
	w, at, _ := m.start(func(c *Config) { c.URL = m.proxy.URL() })
	return &player{w: w, at: at.Position}
}

func (m *model) play(steps int) {
	m.T.Helper()
	m.last = 1
	m.writers = []*player{m.join()}
	m.step(m.writers[0])
	m.writers = append(m.writers, m.join())
	for range steps {
		m.last += event.Seq(m.rand.IntN(4))
		m.trouble()
		m.step(m.writers[m.rand.IntN(len(m.writers))])
	}
	for range 4 { // let both catch up with the relay
		for _, p := range m.writers {
			m.step(p)
		}
	}
	m.wantRun(1, m.last)
	if got := m.Get(keyspace.DefaultCursor); got != m.last.String() {
		m.T.Fatalf("cursor %s, want %s", got, m.last)
	}
}

// trouble is one fault, or none.
func (m *model) trouble() {
	switch m.rand.IntN(12) {
	case 0, 1:
		m.proxy.LoseReplies(1)
	case 2:
		m.proxy.Cut()
	case 3:
		m.Do("script", "flush")
	case 4:
		m.Do("del", keyspace.DefaultCursor)
	case 5: // killed and replaced, also while the cursor is gone
		if m.Get(keyspace.DefaultCursor+":meta") != "" {
			m.writers[m.rand.IntN(len(m.writers))] = m.join()
		}
	case 6: // the cursor fell back to an older one, the entries with it
		m.rollback()
	}
}

// rollback takes the newest entries and sets the cursor as it was before them.
func (m *model) rollback() {
	rows, err := m.Client.XRevRangeN(m.Ctx(), keyspace.DefaultStream, "+", "-", int64(2+m.rand.IntN(5))).Result()
	if err != nil || len(rows) < 2 {
		return
	}
	for _, row := range rows[:len(rows)-1] {
		m.Do("xdel", keyspace.DefaultStream, row.ID)
	}
	seq := rows[len(rows)-1].Values["seq"].(string)
	m.Set(keyspace.DefaultCursor, seq)
	var beside map[string]any // went back with them
	if json.Unmarshal([]byte(m.Get(keyspace.DefaultCursor+":meta")), &beside) == nil {
		beside["stored"], beside["upto"] = json.Number(seq), json.Number(seq)
		text, _ := json.Marshal(beside)
		m.Set(keyspace.DefaultCursor+":meta", string(text))
	}
}

// step lets a player read what the relay has for it and commit it as up to
// three batches.
func (m *model) step(p *player) {
	m.T.Helper()
	var batches []*event.Batch
	at := p.at
	for range 1 + m.rand.IntN(3) {
		first := at.Seq + 1
		upto := min(m.last, first+event.Seq(m.rand.IntN(6)))
		if upto < first {
			break
		}
		batches = append(batches, storetest.Run(at, first, upto))
		at = event.AfterSeq(upto)
	}
	if len(batches) == 0 {
		return
	}
	_, err := p.w.Commit(m.Ctx(), batches)
	var moved *event.Moved
	switch {
	case errors.As(err, &moved):
		p.at = moved.To
	case err != nil:
		m.T.Fatalf("commit: %v", err)
	default:
		p.at = at
	}
}
