package spill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
)

// onMemory is a rig on a disk that can fail.
func onMemory(t *testing.T, last event.Seq, seed uint64) (*rig, *memory) {
	r := newRig(t, last)
	m := newMemory(seed)
	r.cfg.folder, r.cfg.SegmentBytes = m, 700
	return r, m
}

// told counts an alarm.
func (r *rig) told(a event.Alarm) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, each := range r.alarms {
		if each == a {
			n++
		}
	}
	return n
}

// spillUpTo lets the receiver hang while the relay goes on to a seq.
func (r *rig) spillUpTo(seq event.Seq) {
	r.send(seq)
	time.Sleep(30 * time.Second)
}

// filled is a disk that holds frames 1..60 above what the receiver has, left by a
// process that ended at seq 20.
func filled(t *testing.T) (*rig, *memory) {
	r, m := onMemory(t, 20, 1)
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
			if seq == 20 {
				r.spillUpTo(300)
			}
			return seq < 20
		})
		r.close()
	})
	if len(m.segments()) < 3 {
		t.Fatalf("the disk holds %v", m.segments())
	}
	return r, m
}

func (m *memory) segments() (names []string) {
	all, _ := m.list()
	for _, name := range all {
		if _, _, ok := parseName(name); ok {
			names = append(names, name)
		}
	}
	return names
}

// goOn is the next process: it must get everything up to a seq, exactly.
func (r *rig) goOn(t *testing.T, from, last event.Seq) {
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.alarms, r.got = nil, nil
		r.at = event.AfterSeq(from)
		r.open()
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		if r.last < last {
			r.send(last)
		}
		r.take(ctx, func(seq event.Seq, _ *event.Chunk) bool {
			if seq == r.storeAt {
				r.source.Stored(seq)
			}
			return seq < last
		})
		r.close()
	})
	if r.at.Seq != last {
		t.Fatalf("it ended at seq %d, not %d", r.at.Seq, last)
	}
}

// first is the segment whose frames a test damages, and where they begin.
func (m *memory) first(t *testing.T) (name string, s segment) {
	t.Helper()
	name = m.segments()[0]
	s, _, _ = parseName(name)
	return name, s
}

// Whatever byte of a file changes, nothing altered is handed on, the relay is
// asked, and it is told.
func TestEveryDamagedByteIsFound(t *testing.T) {
	t.Parallel()
	r, m := filled(t)
	name, s := m.first(t)
	whole := slices.Clone(m.names[name].data)
	disk := func() map[string]*memoryFile {
		names := map[string]*memoryFile{}
		for n, f := range m.names {
			names[n] = &memoryFile{data: slices.Clone(f.data)}
		}
		return names
	}
	before := disk()
	restore := func() {
		m.names = before
		m.names = disk()
	}
	bits := 1 // of each byte, another one from byte to byte
	if os.Getenv("FHCTL_NIGHTLY") != "" {
		bits = 8
	}
	for i := range whole {
		for n := range bits {
			restore()
			m.names[name].data[i] ^= 1 << ((i + n) % 8)
			r.goOn(t, s.prev, 310)
			if r.told(event.AlarmSpillDamaged) == 0 {
				t.Errorf("bit %d of byte %d of %d: not told", (i+n)%8, i, len(whole))
			}
		}
		restore()
		m.names[name].data = m.names[name].data[:i]
		r.goOn(t, s.prev, 310)
		if r.told(event.AlarmSpillDamaged) == 0 {
			t.Errorf("cut at byte %d of %d: not told", i, len(whole))
		}
	}
	restore()
	r.goOn(t, s.prev, 310)
	if n := r.told(event.AlarmSpillDamaged); n > 0 {
		t.Errorf("undamaged, and told %d times", n)
	}
}

// Only what is damaged is asked for: what lies behind it on disk is used, though
// the relay has it no more.
func TestSoundBlocksBehindDamageAreUsed(t *testing.T) {
	r, m := filled(t)
	name, s := m.first(t)
	data := m.names[name].data
	f, _ := m.open(name)
	b := &block.Walker{File: f, Offset: s.from, End: int64(len(data)), Prev: s.prev}
	d, _, err := b.At(s.from)
	if err != nil {
		t.Fatal(err)
	}
	data[s.from+80] ^= 1 // in the first block
	// The relay holds that block's frames, and those behind the disk.
	r.hole = [2]event.Seq{d.Last + 1, 300}
	r.storeAt = d.Last // what lies before the damage is stored, and what is behind it is not
	r.goOn(t, s.prev, 310)
	if r.told(event.AlarmSpillDamaged) != 1 {
		t.Errorf("alarms %v", r.alarms)
	}
	if n := r.asked[len(r.asked)-1]; n.Seq < 290 {
		t.Errorf("the relay was asked from %v", r.asked)
	}
}

// What a damaged file lacks is asked for, though the file behind it begins with an event
// that the relay sent again, and so seems to follow what was handed on.
func TestDamageBeforeARepeatIsAskedFor(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprint(restarts), func(t *testing.T) { damageBeforeARepeat(t, restarts) })
	}
}

func damageBeforeARepeat(t *testing.T, restarts bool) {
	r, m := onMemory(t, 20, 1)
	r.far = map[event.Seq]event.Seq{}
	for seq := event.Seq(10); seq < 300; seq++ {
		r.far[seq] = seq - 5
	}
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		r.take(ctx, func(seq event.Seq, _ *event.Chunk) bool {
			if seq == 20 {
				r.spillUpTo(300)
				name := m.segments()[0]
				data := m.names[name].data
				data[len(data)-1] ^= 1 // in its last block
				r.send(310)
				return !restarts
			}
			return seq < 310
		})
		r.close()
	})
	if restarts {
		r.goOn(t, 20, 310)
	}
	if r.at.Seq != 310 || r.told(event.AlarmSpillDamaged) == 0 {
		t.Errorf("it ended at seq %d, alarms %v", r.at.Seq, r.alarms)
	}
}

// A file that is missing between two others is asked for, whether it went before a
// start or while the process runs.
func TestMissingFileIsAskedFor(t *testing.T) {
	for _, when := range []string{"before", "while"} {
		t.Run(when, func(t *testing.T) {
			r, m := filled(t)
			_, s := m.first(t)
			if when == "before" {
				delete(m.names, m.segments()[1])
				r.goOn(t, s.prev, 310)
				return
			}
			gone := false
			m.fault = func(op, name string) error {
				if op == "read" && strings.HasSuffix(name, ending) && !gone {
					gone = true
					delete(m.names, m.segmentsHeld()[1])
				}
				return nil
			}
			r.goOn(t, s.prev, 310)
			if r.told(event.AlarmSpillDamaged) == 0 {
				t.Error("not told")
			}
		})
	}
}

// segmentsHeld is segments for one that holds m.mu.
func (m *memory) segmentsHeld() (names []string) {
	for name := range m.names {
		if _, _, ok := parseName(name); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Files that were exchanged, renamed or copied give no altered stream.
func TestExchangedFilesAreFound(t *testing.T) {
	for _, what := range []string{"exchanged", "copied", "renumbered", "other last"} {
		t.Run(what, func(t *testing.T) {
			r, m := filled(t)
			names := m.segments()
			a, b := names[0], names[1]
			_, s := m.first(t)
			switch what {
			case "exchanged":
				m.names[a], m.names[b] = m.names[b], m.names[a]
			case "copied":
				m.names["000000000099"+a[12:]] = m.names[a]
			case "renumbered":
				m.names["000000000099"+a[12:]] = m.names[a]
				delete(m.names, a)
			case "other last":
				m.names[fmt.Sprintf("%012d-%s-%s%s", s.number, s.prev, s.last+5, ending)] = m.names[a]
				delete(m.names, a)
			}
			r.goOn(t, s.prev, 310)
		})
	}
}

// A disk that takes nothing for a while costs no frame.
func TestFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	for _, err := range []error{syscall.ENOSPC, syscall.EIO, errShort} {
		for _, op := range []string{"write", "create", "rename", "sync", "sync directory", "write, truncate", "close"} {
			if errors.Is(err, errShort) && !strings.HasPrefix(op, "write") {
				continue
			}
			t.Run(op+" "+err.Error(), func(t *testing.T) {
				r, m := onMemory(t, 20, 3)
				n := 0
				m.fault = func(o, _ string) error {
					if n++; slices.Contains(strings.Split(op, ", "), o) && n > 12 && n < 400 && (o == "write" || !errors.Is(err, errShort)) {
						return err
					}
					return nil
				}
				synctest.Test(t, func(t *testing.T) {
					r.wake = make(chan struct{})
					r.open()
					r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
						switch {
						case seq == 20:
							r.send(1500)
							time.Sleep(20 * time.Minute)
						case seq%100 == 0:
							r.source.Stored(seq)
						}
						return seq < 1500
					})
					r.close()
				})
				if (strings.HasPrefix(op, "write") || op == "create") && r.told(event.AlarmSpillFull) == 0 {
					t.Errorf("not told; %v", m)
				}
				if n := r.told(event.AlarmSpillDamaged); n > 0 {
					t.Errorf("nothing is damaged, and it was told %d times", n)
				}
				for _, each := range strings.Split(op, ", ") {
					if m.seen[each+" failed"] == 0 && (each == "write" || !errors.Is(err, errShort)) {
						t.Errorf("%s never struck: %v", each, m)
					}
				}
			})
		}
	}
}

// Any call may fail, at any time, at random.
func TestFailingDiskIsExact(t *testing.T) {
	t.Parallel()
	seeds := uint64(20)
	if os.Getenv("FHCTL_NIGHTLY") != "" {
		seeds = 1000
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r, m := onMemory(t, 20, seed)
			rng := rand.New(rand.NewPCG(seed, 2))
			synctest.Test(t, func(t *testing.T) {
				r.wake = make(chan struct{})
				r.open()
				m.fault = trouble(rand.New(rand.NewPCG(seed, 3)), 0.02+0.3*rng.Float64()) // another goroutine draws from it
				r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
					if seq%200 == 20 {
						r.spillUpTo(min(1500, seq+event.Seq(rng.IntN(400))))
					}
					if seq == r.last && seq < 1500 {
						r.send(min(1500, seq+30))
					}
					if rng.IntN(20) == 0 {
						r.source.Stored(seq)
					}
					return seq < 1500
				})
				r.close()
			})
		})
	}
}

// The process dies at each call of the disk in turn, by kill -9 or with the
// machine. The next one goes on from the cursor and gets everything, exactly.
func TestCrashAtEachCallIsExact(t *testing.T) {
	t.Parallel()
	play := func(t *testing.T, crashAt int, power bool) (calls int) {
		r, m := onMemory(t, 20, uint64(crashAt))
		m.crashAt = crashAt
		stored := event.Seq(0)
		dead := func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.crashed }
		synctest.Test(t, func(t *testing.T) {
			r.wake = make(chan struct{})
			var err error
			if r.source, err = Open(r.cfg); err != nil {
				if !dead() {
					t.Fatal(err)
				}
				return
			}
			r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
				switch {
				case seq == 20:
					r.spillUpTo(200)
				case seq%40 == 0 && !dead():
					r.source.Stored(seq)
					stored = seq
				}
				return seq < 200 && !dead()
			})
			if !dead() {
				r.close()
			}
		})
		calls = m.calls
		m.restart(power)
		r.goOn(t, stored, 230)
		if left := m.segments(); len(left) > 0 && stored >= 230 {
			t.Errorf("left: %v", left)
		}
		return calls
	}
	calls := play(t, 0, false)
	if calls < 50 {
		t.Fatalf("only %d calls", calls)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	for at := 1; at <= calls; at += step {
		for _, power := range []bool{false, true} {
			play(t, at, power)
			if t.Failed() {
				t.Fatalf("died at call %d of %d, power cut %v", at, calls, power)
			}
		}
	}
}

// kill -9 costs no frame that was spilled: the relay has them no more.
func TestKilledProcessLeavesEveryChunk(t *testing.T) {
	r, m := onMemory(t, 20, 5)
	r.cfg.SegmentBytes = 1 << 20
	var prev event.Seq
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
			if seq == 20 {
				r.spillUpTo(300)
				m.mu.Lock()
				m.crashed = true
				m.mu.Unlock()
			}
			return seq < 20
		})
	})
	m.restart(false)
	names := m.segments()
	s, open, _ := parseName(names[len(names)-1])
	if !open {
		t.Fatalf("nothing was being written: %v", names)
	}
	prev = s.prev
	r.oldest = 301
	r.goOn(t, prev, 310)
	if n := r.told(event.AlarmSpillDamaged); n > 0 {
		t.Errorf("told of damage %d times", n)
	}
}

// What is handed on stays on disk until it is stored, whatever else happens.
func TestNothingIsDeletedBeforeItIsStored(t *testing.T) {
	r, m := filled(t)
	_, s := m.first(t)
	all := m.segments()
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.at = event.AfterSeq(s.prev)
		r.open()
		r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
			if seq == 300 {
				if left := m.segments(); !slices.Equal(left, all) {
					t.Errorf("nothing is stored, and of %v is left %v", all, left)
				}
				r.source.Stored(s.last - 1)
				if left := m.segments(); !slices.Equal(left, all) {
					t.Errorf("one frame of it is not stored, and of %v is left %v", all, left)
				}
				r.source.Stored(s.last)
				if left := m.segments(); !slices.Equal(left, all[1:]) {
					t.Errorf("of %v is left %v", all, left)
				}
			}
			return seq < 300
		})
		r.close()
	})
}

// oldFile is what earlier versions wrote: one zstd stream.
func oldFile(t *testing.T, whole bool, from, to event.Seq) []byte {
	t.Helper()
	var plain []byte
	for seq := from; seq <= to; seq++ {
		raw := made(seq)
		plain = append(plain, byte(len(raw)), byte(len(raw)>>8), 0, 0)
		plain = append(plain, raw...)
	}
	zst, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	file := zst.EncodeAll(plain, nil)
	if !whole {
		file = file[:len(file)-7]
	}
	return file
}

// altered changes a bit of a zstd stream so that only its checksum tells.
func altered(t *testing.T, file []byte) []byte {
	t.Helper()
	blind, err := zstd.NewReader(nil, zstd.IgnoreChecksum(true))
	if err != nil {
		t.Fatal(err)
	}
	defer blind.Close()
	want, err := blind.DecodeAll(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range file {
		file[i] ^= 1
		got, err := blind.DecodeAll(file, nil)
		if err == nil && len(got) == len(want) && string(got) != string(want) {
			return file
		}
		file[i] ^= 1
	}
	t.Fatal("no bit of it can change unnoticed")
	return nil
}

// A directory of a version without checksums per block: what is complete has one
// over all, and is used if that is right; what is not is set aside.
func TestDirectoryOfAnEarlierVersion(t *testing.T) {
	whole := oldFile(t, true, 21, 60)
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		file   string
		data   []byte
		oldest event.Seq // what the relay still has
		told   int
	}{
		"complete": {"000000000001-20-60.fhz", whole, 61, 0},
		"altered":  {"000000000001-20-9000.fhz", altered(t, oldFile(t, true, 21, 9000)), 1, 1},
		"damaged":  {"000000000001-20-60.fhz", flipped, 1, 1},
		"cut":      {"000000000001-20-60.fhz", whole[:len(whole)-1], 1, 1},
		"open":     {"000000000001-20.partial", oldFile(t, false, 21, 60), 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, m := onMemory(t, 9100, 1)
			m.names[c.file] = &memoryFile{data: c.data}
			if err := writeOwner(m, r.cfg.Owner); err != nil {
				t.Fatal(err)
			}
			r.oldest = c.oldest
			r.goOn(t, 20, 9100)
			if n := r.told(event.AlarmSpillDamaged); n != c.told {
				t.Errorf("told %d times, want %d", n, c.told)
			}
			if name == "open" && m.names[c.file+unchecked] == nil {
				t.Error("it was not set aside")
			}
		})
	}
}

// Links are not followed, and what is not ours is not used.
func TestLinksAndStrangersAreNotFollowed(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	for _, name := range []string{lockName, ownerName} {
		r := newRig(t, 0)
		if err := os.MkdirAll(r.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(r.dir, name)); err != nil {
			t.Skip(err)
		}
		if _, err := Open(r.cfg); fault.ClassOf(err) != fault.Usage || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s is a link: %v", name, err)
		}
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("a link was followed")
	}
	// A segment that is a link counts as missing; a name in the way is passed over.
	r := newRig(t, 20)
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
			if seq == 20 {
				r.spillUpTo(300)
			}
			return seq < 20
		})
		r.close()
	})
	name := r.files()[0]
	s, _, _ := parseName(name)
	inside := filepath.Join(r.dir, name)
	if err := errors.Join(os.Rename(inside, outside), os.Symlink(outside, inside), os.Symlink(outside, filepath.Join(r.dir, fmt.Sprintf("%012d-%d.partial", s.number+1, 300)))); err != nil {
		t.Fatal(err)
	}
	r.goOn(t, s.prev, 310)
	// A directory that is a link, or anybody's.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(r.dir, link); err != nil {
		t.Fatal(err)
	}
	r.cfg.Dir = link
	if _, err := Open(r.cfg); fault.ClassOf(err) != fault.Usage {
		t.Errorf("the directory is a link: %v", err)
	}
	if os.Geteuid() == 0 {
		dir := filepath.Join(t.TempDir(), "others")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 12345, 12345)); err != nil {
			t.Skip(err)
		}
		r.cfg.Dir = dir
		if _, err := Open(r.cfg); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "another user") {
			t.Errorf("another user's directory: %v", err)
		}
	}
}

// A disk that cannot be looked at keeps a process from starting, with a word.
func TestOpenSaysWhatFailed(t *testing.T) {
	for _, op := range []string{"list", "look", "open", "create", "write", "sync", "rename"} {
		r, m := onMemory(t, 20, 1)
		m.fault = func(o, _ string) error {
			if o == op {
				return syscall.EIO
			}
			return nil
		}
		s, err := Open(r.cfg)
		if err == nil {
			_ = s.Close()
			if op != "open" && op != "look" {
				t.Errorf("%s fails, and nobody says so", op)
			}
			continue
		}
		if fault.ClassOf(err) == fault.Internal || !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// An error of the relay that was spilled ends the receiver's connection once, and
// not each time it comes back to the same place.
func TestErrorFrameOnDiskIsHandedOnOnce(t *testing.T) {
	r, m := onMemory(t, 60, 1)
	failure, err := frame.Append(nil, &event.Event{Kind: event.KindError, Notice: event.Notice{Name: []byte("ConsumerTooSlow")}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := begin(m, 1, 20)
	if err != nil {
		t.Fatal(err)
	}
	frames := []event.Frame{{Data: failure}}
	for seq := event.Seq(21); seq <= 50; seq++ {
		frames = append(frames, event.Frame{Data: made(seq)})
	}
	if err := s.write(frames); err != nil {
		t.Fatal(err)
	}
	s.finish(m, slog.New(slog.DiscardHandler))
	if err := writeOwner(m, r.cfg.Owner); err != nil {
		t.Fatal(err)
	}
	errors := 0
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.at = event.AfterSeq(20)
		r.open()
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		closed := uint64(0)
		for c, err := range r.source.Frames(ctx, r.resume) {
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range c.Frames {
				if c.Conn == closed {
					break
				}
				seq, ok := frame.PeekSeq(f.Data)
				if !ok {
					errors++
					closed = c.Conn
					c.Hangup(errHungUp)
					break
				}
				r.at = event.AfterSeq(seq)
			}
			if errors > 5 || r.at.Seq == 60 {
				break
			}
		}
		r.close()
	})
	if errors != 1 || r.at.Seq != 60 {
		t.Errorf("the error came %d times, and the receiver to seq %d", errors, r.at.Seq)
	}
}

// What the relay gave to fill the place of a missing file, and the receiver dropped, as
// one that stands by does, is read from the relay again.
func TestDroppedStretchBetweenFilesIsReadAgain(t *testing.T) {
	r, m := filled(t)
	_, s := m.first(t)
	missing, _, _ := parseName(m.segments()[1])
	delete(m.names, m.segments()[1])
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.at = event.AfterSeq(s.prev)
		r.open()
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		dropped := false
		r.take(ctx, func(seq event.Seq, c *event.Chunk) bool {
			if seq == missing.prev+1 && !dropped {
				dropped = true
				time.Sleep(time.Second) // what is missing comes into memory
				r.at, r.hungUp = event.AfterSeq(s.prev), c.Conn
				c.Hangup(errHungUp)
			}
			return seq < missing.last+5
		})
		r.close()
	})
	if r.at.Seq < missing.last+5 {
		t.Errorf("it ended at seq %d", r.at.Seq)
	}
}

// What the relay says while frames go to disk concerns its connection of that time: it
// is told at once, and is not found on disk later by a receiver that is elsewhere.
func TestNoticesAreNotSpilled(t *testing.T) {
	r, _ := onMemory(t, 20, 1)
	r.says = map[event.Seq][]byte{}
	for seq, e := range map[event.Seq]*event.Event{
		100: {Kind: event.KindError, Notice: event.Notice{Name: []byte("FutureCursor")}},
		150: {Kind: event.KindInfo, Notice: event.Notice{Name: []byte("OutdatedCursor")}},
		200: {Kind: event.KindError, Notice: event.Notice{Name: []byte("ConsumerTooSlow")}},
		201: {Kind: event.KindError, Notice: event.Notice{Name: []byte("FutureCursor")}},
	} {
		raw, err := frame.Append(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		r.says[seq] = raw
	}
	synctest.Test(t, func(t *testing.T) {
		r.wake = make(chan struct{})
		r.open()
		r.take(t.Context(), func(seq event.Seq, _ *event.Chunk) bool {
			if seq == 20 {
				r.spillUpTo(300)
				if r.told(event.AlarmFuture) != 1 || r.told(event.AlarmWindow) != 1 || len(r.asked) != 3 {
					t.Errorf("alarms %v, and the relay was asked from %v", r.alarms, r.asked)
				}
			}
			return seq < 300
		})
		r.close()
	})
	if r.at.Seq != 300 || r.heard > 0 {
		t.Errorf("it came to seq %d, and heard %d notices", r.at.Seq, r.heard)
	}
}

// A file that holds notices alone, which have no seq, does not make the relay's place
// unknown: reading would go on live, and what came meanwhile would be lost.
func TestNoticesAloneOnDiskKeepThePlace(t *testing.T) {
	failure, err := frame.Append(nil, &event.Event{Kind: event.KindError, Notice: event.Notice{Name: []byte("ConsumerTooSlow")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, prev := range []event.Seq{0, 20} {
		d := disk{dir: newMemory(1), log: slog.New(slog.DiscardHandler)}
		if err := d.append([]event.Frame{{Data: failure}}, prev, 1<<20); err != nil {
			t.Fatal(err)
		}
		f := &flow{Source: &Source{disk: d}}
		f.changed = sync.NewCond(&f.mu)
		at := event.AfterSeq(prev)
		if prev == 0 {
			at = event.Position{Start: event.Oldest}
		}
		f.aim(at)
		if f.pumpAt != at {
			t.Errorf("behind a notice after seq %d the relay is asked from %v", prev, f.pumpAt)
		}
		if f.disk.roll(); f.disk.pending() {
			t.Errorf("a file without events is read as one")
		}
	}
}
