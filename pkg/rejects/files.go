package rejects

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/pkg/event"
)

const (
	suffix     = ".frame"
	partSuffix = ".part" // a file being written
	noSeq      = "noseq"
	maxTries   = 16 // names tried when others are in the way
)

// create writes the frame under a name of its own and returns the name. The
// file appears whole or not at all.
func (s *Store) create(rec *record, frame []byte) (string, error) {
	for range maxTries {
		rec.number = s.next
		s.next++
		name := fileName(rec.line.Seq, rec.reason, rec.number)
		err := s.createAs(name, frame)
		if errors.Is(err, fs.ErrExist) {
			continue // not ours: leave it, take the next number
		}
		return name, err
	}
	return "", errors.New("create file: the next names are all taken")
}

func (s *Store) createAs(name string, frame []byte) error {
	if _, err := s.root.Lstat(name); err == nil {
		return fs.ErrExist
	}
	file, err := s.root.OpenFile(name+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create file: %w", err)
	}
	_, err = file.Write(frame)
	if err = errors.Join(err, file.Close()); err == nil {
		err = s.root.Rename(name+partSuffix, name)
	}
	if err != nil {
		return fmt.Errorf("write file: %w", errors.Join(err, s.root.Remove(name+partSuffix)))
	}
	return nil
}

func fileName(seq event.Seq, reason string, number uint64) string {
	place := noSeq
	if seq > 0 {
		place = fmt.Sprintf("%016d", seq)
	}
	return fmt.Sprintf("%s-%s-%d%s", place, reason, number, suffix)
}

// parseName reads what fileName makes and nothing else.
func parseName(name string) (seq event.Seq, reason string, number uint64, ok bool) {
	place, rest, _ := strings.Cut(strings.TrimSuffix(name, suffix), "-")
	reason, digits, _ := strings.Cut(rest, "-")
	number, err := strconv.ParseUint(digits, 10, 62)
	if place != noSeq {
		seq, _ = event.ParseSeq(place)
	}
	ok = err == nil && isReason(reason) && fileName(seq, reason, number) == name
	return seq, reason, number, ok
}

// isReason accepts the shape of a reason's name: another version may have
// reasons that this one does not.
func isReason(name string) bool {
	return name != "" && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// adopt takes over what the directory holds: files with or without a line, and
// lines whose frame was too large for a file. What is not ours stays untouched
// and unread.
func (s *Store) adopt() error {
	lines, err := s.readIndex()
	if err != nil {
		return err
	}
	names, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	for _, entry := range names {
		if strings.HasSuffix(entry.Name(), suffix+partSuffix) && entry.Type().IsRegular() {
			if err := s.root.Remove(entry.Name()); err != nil {
				return fmt.Errorf("remove unfinished file: %w", err)
			}
		}
		if err := s.adoptFile(entry, lines); err != nil {
			return err
		}
	}
	for _, line := range lines {
		if line.File == "" {
			s.hold(recordOf(line))
		}
	}
	slices.SortStableFunc(s.records, func(a, b *record) int {
		return cmp.Or(a.line.Time.Compare(b.line.Time), cmp.Compare(a.number, b.number))
	})
	if err := s.compact(); err != nil { // knows the cost of each line
		return err
	}
	return s.evict(0, 0)
}

// adoptFile takes over one file. A file without a line got none because of a
// crash; its name and its bytes say what the line would.
func (s *Store) adoptFile(entry fs.DirEntry, lines map[string]Line) error {
	seq, reason, number, ours := parseName(entry.Name())
	if !ours || !entry.Type().IsRegular() {
		return nil
	}
	s.next = max(s.next, number+1)
	info, err := entry.Info()
	if err != nil {
		return fmt.Errorf("look at file: %w", err)
	}
	line, indexed := lines[entry.Name()]
	if !indexed || line.Bytes != info.Size() || line.Reason != reason {
		sum, err := s.sum(entry.Name())
		if err != nil {
			return err
		}
		line = Line{
			Time: info.ModTime().UTC(), Seq: seq, Reason: reason, File: entry.Name(),
			Detail: "found without an index line", Bytes: info.Size(), SHA256: sum,
		}
	}
	rec := recordOf(line)
	rec.number = number
	s.hold(rec)
	return nil
}

func recordOf(line Line) *record {
	rec := &record{identity: identity{reason: line.Reason}, line: line}
	_, _ = hex.Decode(rec.sum[:], []byte(line.SHA256)) // its length was checked
	return rec
}

// sum hashes a file without holding it in memory.
func (s *Store) sum(name string) (string, error) {
	file, err := s.root.Open(name)
	if err != nil {
		return "", fmt.Errorf("open file: %w", err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("read file: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
