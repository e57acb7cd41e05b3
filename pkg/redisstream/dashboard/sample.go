package dashboard

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/fhctl/fhctl/pkg/event"
)

// broadcast is what the dashboard shows of one event (contract §5).
type broadcast struct {
	Type      string `json:"type"`
	Lexicon   string `json:"lexicon"`
	DID       string `json:"did"`
	Action    string `json:"action"`
	Timestamp string `json:"timestamp"` // UTC, HH:MM:SS
}

// describe reads a sampled entry's data. A commit shows its first op; one
// without ops, and what cannot be read, shows nothing.
func describe(s sample) (broadcast, bool) {
	var data struct {
		Repo string `json:"repo"`
		Ops  []struct {
			Action string `json:"action"`
			Path   string `json:"path"`
		} `json:"ops"`
		DID    string  `json:"did"`
		Handle *string `json:"handle"`
		Active bool    `json:"active"`
	}
	if json.Unmarshal(s.data, &data) != nil {
		return broadcast{}, false
	}
	b := broadcast{Type: "#" + s.kind.String(), DID: data.DID, Timestamp: s.at.UTC().Format("15:04:05")}
	switch s.kind {
	case event.KindCommit:
		if len(data.Ops) == 0 {
			return b, false
		}
		b.DID, b.Action = data.Repo, data.Ops[0].Action
		b.Lexicon, _, _ = strings.Cut(data.Ops[0].Path, "/")
	case event.KindIdentity:
		b.Lexicon, b.Action = "com.atproto.identity", "update"
		if data.Handle != nil && *data.Handle != "" {
			b.Action = "→ " + *data.Handle
		}
	case event.KindAccount:
		b.Lexicon, b.Action = "com.atproto.account", "inactive"
		if data.Active {
			b.Action = "active"
		}
	default:
		return b, false
	}
	return b, true
}

// plainJSON encodes without HTML escapes, which the dashboard would show.
func plainJSON(value any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return []byte("null") // our own types always encode
	}
	return bytes.TrimRight(buf.Bytes(), "\n")
}
