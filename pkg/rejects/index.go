package rejects

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/text"
)

const (
	indexName  = "index.jsonl"
	slackLines = 64   // dead lines that are not worth a rewrite
	maxLine    = 4096 // bytes of an index line; details are short enough
	maxDetail  = 200  // bytes of a line's detail
)

// Line is one line of index.jsonl. A file may have several; the last holds.
type Line struct {
	Time   time.Time `json:"time"` // when the frame was first rejected, UTC
	Seq    event.Seq `json:"seq"`  // 0 when it could not be read
	Reason string    `json:"reason"`
	Detail string    `json:"detail,omitempty"`
	Bytes  int64     `json:"bytes"`  // of the frame
	SHA256 string    `json:"sha256"` // of the frame, hexadecimal
	// File is the frame's name in the directory; absent when it was too
	// large to keep.
	File string `json:"file,omitempty"`
	// Repeats is how often the same frame came again for the same reason,
	// as far as it is written: at 2, 4, 8, ... and on closing.
	Repeats int64 `json:"repeats,omitempty"`
	// Suppressed is how many frames of this reason came before this one,
	// since the reason's line before, and were above the rate.
	Suppressed int64 `json:"suppressed,omitempty"`
}

// record is a frame that is held: its line, and what it costs.
type record struct {
	identity
	line    Line
	number  uint64 // of its file; 0 without one
	lineLen int64
}

func (r *record) cost() int64 {
	if r.line.File == "" {
		return r.lineLen
	}
	return r.lineLen + r.line.Bytes
}

// encode is the record's line, newline included.
func (r *record) encode() ([]byte, error) {
	r.line.SHA256 = hex.EncodeToString(r.sum[:])
	line, err := json.Marshal(r.line)
	if err != nil {
		return nil, fmt.Errorf("encode index line: %w", err)
	}
	r.lineLen = int64(len(line) + 1)
	return append(line, '\n'), nil
}

// log appends the record's line to the index. After a failed write the index is
// written anew first, or this line would hang on half of another.
func (s *Store) log(rec *record) error {
	if s.torn {
		if err := s.compact(); err != nil {
			return err
		}
	}
	line, err := rec.encode()
	if err != nil {
		return err
	}
	if _, err := s.index.Write(line); err != nil {
		s.torn = true
		return fmt.Errorf("append to index: %w", err)
	}
	s.lines++
	return nil
}

// compact writes the index anew with one line per record held. The open file
// is the new one even if nothing else goes well afterwards.
func (s *Store) compact() error {
	if err := s.root.Remove(indexName + partSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove unfinished index: %w", err)
	}
	file, err := s.root.OpenFile(indexName+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("create index: %w", err)
	}
	if err = s.copyLines(file); err == nil {
		err = s.root.Rename(indexName+partSuffix, indexName)
	}
	if err != nil {
		return fmt.Errorf("write index: %w", errors.Join(err, file.Close()))
	}
	if s.index != nil {
		err = s.index.Close()
	}
	s.index, s.lines, s.torn = file, len(s.records), false
	return err
}

func (s *Store) copyLines(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, rec := range s.records {
		s.bytes -= rec.cost()
		line, err := rec.encode()
		s.bytes += rec.cost()
		if err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// readIndex reads the last line of each frame, by file name, or by its hash
// where there is no file. Torn and foreign lines are passed over.
func (s *Store) readIndex() (map[string]Line, error) {
	info, err := s.root.Lstat(indexName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, fmt.Errorf("look at index: %w", err)
	}
	file, err := s.root.Open(indexName)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	defer file.Close()
	// Far more than we let stand; a longer index is not ours, and the files
	// speak for themselves.
	return readLines(io.LimitReader(file, int64(2*s.cfg.MaxFiles+slackLines)*1024))
}

func readLines(r io.Reader) (map[string]Line, error) {
	lines := make(map[string]Line)
	reader := bufio.NewReaderSize(r, maxLine)
	for {
		text, err := reader.ReadSlice('\n')
		if line, ok := parseLine(text); ok {
			lines[cmp.Or(line.File, line.Reason+" "+line.SHA256)] = line
		}
		switch {
		case errors.Is(err, io.EOF):
			return lines, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read index: %w", err)
		}
	}
}

func parseLine(written []byte) (Line, bool) {
	var line Line
	if json.Unmarshal(written, &line) != nil {
		return line, false
	}
	sum, err := hex.DecodeString(line.SHA256)
	if err != nil || len(sum) != sha256.Size || !isReason(line.Reason) || line.Bytes < 0 || line.Seq < 0 {
		return line, false
	}
	if line.File != "" {
		if _, _, _, ok := parseName(line.File); !ok {
			return line, false
		}
	}
	line.Detail = text.Clip(line.Detail, maxDetail)
	return line, true
}
