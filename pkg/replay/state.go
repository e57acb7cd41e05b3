package replay

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/files"
)

// resumeState is the small file beside a capture that is not complete: where
// another run goes on.
type resumeState struct {
	V         int    `json:"v"` // 1
	Source    string `json:"source"`
	Selection string `json:"selection"` // fingerprint of the filters
	Seq       string `json:"seq"`       // the last one recorded
	Size      int64  `json:"size"`      // bytes of the partial capture that are good
	Events    int64  `json:"events"`    // in them
}

func stateName(path string) string { return path + ".resume" }

// loadState reads the state of an unfinished capture; nil when there is none.
func loadState(path string) (*resumeState, error) {
	raw, err := files.Read(stateName(path), 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		class := fault.Usage
		if errors.Is(err, fs.ErrPermission) {
			class = fault.Refused
		}
		return nil, fault.New(class, fmt.Errorf("resume: %w", err), "the file beside the capture says where to go on: let this user read it, or begin anew under another name")
	}
	state := &resumeState{}
	err = json.Unmarshal(raw, state)
	if _, ok := event.ParseSeq(state.Seq); err != nil || state.V != 1 || !ok && state.Seq != "" || state.Size < 0 || state.Seq == "" && state.Source == "" {
		return nil, fault.New(fault.Data, fmt.Errorf("resume: %s is not a state of this version", stateName(path)),
			fmt.Sprintf("begin anew: remove %s and %s", stateName(path), capture.PartialName(path)))
	}
	return state, nil
}

// save replaces the state in one step, so that a crash leaves one or the other.
func (s *resumeState) save(path string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keep position: %w", err)
	}
	name := stateName(path)
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text()[:8])
	if err := os.WriteFile(temp, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep position: %w", err)
	}
	if err := os.Rename(temp, name); err != nil {
		return errors.Join(fmt.Errorf("keep position: %w", err), os.Remove(temp))
	}
	return nil
}

func removeState(path string) error {
	err := os.Remove(stateName(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
