package config

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// AnnotationGroup is the flag annotation that holds a flag's Group, so that
// help can show flags by group.
const AnnotationGroup = "fhctl_group"

// AddFlags gives flags a flag for every setting of the groups. Values are not
// checked while flags are parsed but by Load, which knows their origin.
func AddFlags(flags *pflag.FlagSet, groups ...Group) {
	for _, s := range Settings() {
		if !slices.Contains(groups, s.Group) {
			continue
		}
		flag := flags.VarPF(&flagValue{setting: s, text: s.Default}, s.Name, "", s.Doc)
		flag.Annotations = map[string][]string{AnnotationGroup: {string(s.Group)}}
		if s.Switch() {
			flag.NoOptDefVal = "true"
		}
	}
}

// flagValue keeps a flag's text for Load. A list's flag may be repeated and
// may hold commas.
type flagValue struct {
	setting Setting
	text    string
	set     bool
	empty   bool // it was given without a value once
}

// String is the text so far.
func (f *flagValue) String() string { return f.text }

// Set takes any text.
func (f *flagValue) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		f.empty = f.empty || strings.TrimSpace(item) == "" && (f.setting.List || text == "")
	}
	if f.set && f.setting.List {
		text = strings.Join([]string{f.text, text}, ",")
	}
	f.text, f.set = text, true
	return nil
}

// Empty reports whether the flag was given with nothing in it, or in one item of
// its list. That is what an unset variable of a shell leaves, not a choice.
func (f *flagValue) Empty() bool { return f.empty }

// Type is what help shows behind the flag.
func (f *flagValue) Type() string {
	if f.setting.Switch() {
		return "bool"
	}
	return f.setting.Arg
}
