package spill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
)

// memory is a disk that fails on demand. What was written is there for the next
// process; after a power cut, only what was synced is sure to be.
type memory struct {
	mu      sync.Mutex
	rng     *rand.Rand
	names   map[string]*memoryFile
	lasting map[string]*memoryFile // the names that outlast a power cut

	calls   int
	crashAt int // the call at which the process dies; 0 is never
	crashed bool
	// fault is what a call comes to; nil is that it works. After a write with a
	// fault, part of it may be there.
	fault func(op, name string) error
	seen  map[string]int // calls by kind
}

type memoryFile struct {
	data   []byte
	synced []byte
}

var errCrashed = errors.New("the process has died")

func newMemory(seed uint64) *memory {
	return &memory{rng: rand.New(rand.NewPCG(seed, 7)), names: map[string]*memoryFile{}, lasting: map[string]*memoryFile{}, seen: map[string]int{}}
}

// call counts a call and says what it comes to. m.mu is held.
func (m *memory) call(op, name string) error {
	m.calls++
	m.seen[op]++
	if m.calls == m.crashAt {
		m.crashed = true
	}
	if m.crashed {
		return errCrashed
	}
	if m.fault != nil {
		if err := m.fault(op, name); err != nil {
			m.seen[op+" failed"]++
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	return nil
}

// restart is the next process, on the same machine or, after a power cut, on one
// that lost what was not synced, or some of it.
func (m *memory) restart(power bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashed, m.crashAt, m.fault = false, 0, nil
	if !power {
		return
	}
	if m.rng.IntN(2) == 0 { // names may have come to disk by themselves
		m.names = maps.Clone(m.lasting)
	}
	for _, f := range m.names {
		if bytesEqual(f.data, f.synced) {
			continue
		}
		switch m.rng.IntN(3) {
		case 0:
			f.data = slices.Clone(f.synced)
		case 1: // a part, whose pages were written in any order
			n := len(f.synced)
			for n < len(f.data) && m.rng.IntN(4) > 0 {
				n = min(len(f.data), n+64)
			}
			f.data = f.data[:n]
			if len(f.data) > len(f.synced) && m.rng.IntN(2) == 0 {
				hole := len(f.synced) + m.rng.IntN(len(f.data)-len(f.synced))
				clear(f.data[hole:min(len(f.data), hole+64)])
			}
		}
		f.synced = slices.Clone(f.data)
	}
}

func bytesEqual(a, b []byte) bool { return string(a) == string(b) }

func (m *memory) list() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.names)), m.call("list", "")
}

func (m *memory) look(name string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("look", name); err != nil {
		return 0, err
	}
	f := m.names[name]
	if f == nil {
		return 0, fs.ErrNotExist
	}
	return int64(len(f.data)), nil
}

func (m *memory) create(name string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("create", name); err != nil {
		return nil, err
	}
	if m.names[name] != nil {
		return nil, fs.ErrExist
	}
	f := &memoryFile{}
	m.names[name] = f
	return &handle{m, name, f}, nil
}

func (m *memory) open(name string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("open", name); err != nil {
		return nil, err
	}
	f := m.names[name]
	if f == nil {
		return nil, fs.ErrNotExist
	}
	return &handle{m, name, f}, nil
}

func (m *memory) rename(old, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("rename", old); err != nil {
		return err
	}
	if m.names[old] == nil {
		return fs.ErrNotExist
	}
	m.names[name] = m.names[old]
	delete(m.names, old)
	return nil
}

func (m *memory) remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("remove", name); err != nil {
		return err
	}
	if m.names[name] == nil {
		return fs.ErrNotExist
	}
	delete(m.names, name)
	return nil
}

func (m *memory) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("sync directory", ""); err != nil {
		return err
	}
	m.lasting = maps.Clone(m.names)
	return nil
}

type handle struct {
	m    *memory
	name string
	f    *memoryFile
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if err := h.m.call("read", h.name); err != nil {
		return 0, err
	}
	if off >= int64(len(h.f.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	err := h.m.call("write", h.name)
	n := len(p)
	if errors.Is(err, errShort) {
		n, err = h.m.rng.IntN(len(p)), nil
	} else if err != nil {
		n = h.m.rng.IntN(len(p) + 1) // a part is there all the same
	}
	h.f.data = append(h.f.data, make([]byte, max(0, int(off)+n-len(h.f.data)))...)
	copy(h.f.data[off:], p[:n])
	return n, err
}

func (h *handle) Truncate(size int64) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if err := h.m.call("truncate", h.name); err != nil {
		return err
	}
	h.f.data = h.f.data[:min(int64(len(h.f.data)), size)]
	return nil
}

func (h *handle) Sync() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if err := h.m.call("sync", h.name); err != nil {
		return err
	}
	h.f.synced = slices.Clone(h.f.data)
	return nil
}

func (h *handle) Close() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	return h.m.call("close", h.name)
}

// errShort makes a write short, without an error.
var errShort = errors.New("short write")

// trouble fails a part of the calls, with any of the errors of disks.
func trouble(rng *rand.Rand, part float64) func(op, name string) error {
	return func(op, _ string) error {
		if rng.Float64() >= part {
			return nil
		}
		switch op {
		case "write":
			return []error{errShort, syscall.ENOSPC, syscall.EIO}[rng.IntN(3)]
		case "list", "look":
			return nil // at a start these refuse to start: see TestOpenSaysWhatFailed
		}
		return []error{syscall.EIO, syscall.ENOSPC}[rng.IntN(2)]
	}
}

func (m *memory) String() string { return fmt.Sprint(m.calls, " calls: ", m.seen) }
