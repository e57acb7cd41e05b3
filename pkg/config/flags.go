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
}

// String is the text so far.
func (f *flagValue) String() string { return f.text }

// Set takes any text.
func (f *flagValue) Set(text string) error {
	if f.set && f.setting.List {
		text = strings.Join([]string{f.text, text}, ",")
	}
	f.text, f.set = text, true
	return nil
}

// Type is what help shows behind the flag.
func (f *flagValue) Type() string {
	if f.setting.Switch() {
		return "bool"
	}
	return f.setting.Arg
}
