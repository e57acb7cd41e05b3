package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/fhctl/fhctl/pkg/fault"
)

// Group gathers settings that help and reference pages show together.
type Group string

// The groups, in the order pages show them.
const (
	GroupRelay   Group = "Relay"
	GroupRedis   Group = "Redis"
	GroupWriter  Group = "What is written"
	GroupStart   Group = "Where to start and stop"
	GroupFilter  Group = "What to keep"
	GroupFlow    Group = "Throughput"
	GroupRejects Group = "Rejected frames"
	GroupHealth  Group = "Health and metrics"
	GroupGlobal  Group = "Every command"
)

// Groups lists the groups in the order pages show them.
func Groups() []Group {
	return []Group{GroupRelay, GroupRedis, GroupWriter, GroupStart, GroupFilter, GroupFlow,
		GroupRejects, GroupHealth, GroupGlobal}
}

// Setting is one row of the table.
type Setting struct {
	Name    string // flag without dashes, and key of the YAML file
	Env     string // variable
	Arg     string // what a value is, in capitals; "" for a switch
	Default string
	Doc     string // one sentence without its full stop
	Group   Group
	Choices []string // the words it takes; nil when it takes others
	List    bool     // repeatable as a flag, comma separated elsewhere
	Secret  bool     // a URL that may hold a password: shown through Redact

	// holdsPassword is a file's path: somebody gives the password itself, once.
	holdsPassword bool
	// presence is a second variable that switches the setting on whatever
	// it holds, as https://no-color.org asks of NO_COLOR.
	presence string
	// noFile keeps the setting out of the file.
	noFile bool
	// store parses a value into its field. Errors say what is wrong with
	// the value, with a hint; Load adds the name and the origin.
	store store
}

// Switch reports whether the setting is on or off, so that its flag needs no
// value.
func (s *Setting) Switch() bool { return s.Arg == "" }

// shown is a value as it may be printed. A URL where none is expected may be a
// misplaced one, password included.
func (s *Setting) shown(value string) string {
	const hidden = "***"
	switch {
	case s.holdsPassword && noSuchFile(value), strings.Contains(value, "-----BEGIN"):
		return hidden
	case s.Name == "redis-url" && value != "" && !strings.ContainsAny(value, ":.") && value != "localhost":
		return hidden // a word that may be the password alone
	case s.Secret || strings.Contains(value, "://"):
		return fault.Redact(value)
	}
	return fault.RedactText(value)
}

// sample is a value that the setting takes: its default, unless that switches it off.
func (s *Setting) sample(other string) string {
	if s.Default == "0" || s.Default == "" {
		return other
	}
	return s.Default
}

// noSuchFile reports whether a path leads to no file, for another reason than that
// this user may not look.
func noSuchFile(path string) bool {
	if path == "" {
		return false
	}
	_, err := os.Stat(path)
	return err != nil && !errors.Is(err, fs.ErrPermission)
}

// split takes a list's text apart; a plain value is a list of one.
func (s *Setting) split(text string) []string {
	if !s.List {
		return []string{text}
	}
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// prefix is what every variable outside the contract begins with.
const prefix = "FHCTL_"

// prefixed is the variable a setting has, or would have were it not in the
// contract: what people guess.
func (s *Setting) prefixed() string {
	return prefix + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Settings is the table, in the order pages show it. The caller owns the slice.
func Settings() []Setting {
	list := table()
	for i := range list {
		if list[i].Env == "" {
			list[i].Env = list[i].prefixed()
		}
	}
	return list
}

// Reloadable reports whether a running ingest takes the named setting again on
// SIGHUP: what to keep, and the log level. Others wait for a restart.
func Reloadable(name string) bool {
	for _, s := range Settings() {
		if s.Name == name {
			return s.Group == GroupFilter || name == "log-level"
		}
	}
	return false
}
