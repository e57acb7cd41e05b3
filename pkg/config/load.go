package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/files"
)

// Load resolves every setting: flag before environment before file before
// default. Flags may lack some settings, or be nil; environ is a list of
// NAME=value as os.Environ gives it. Every problem found is in the error, whose
// class is usage.
func Load(flags *pflag.FlagSet, environ []string) (*Config, error) {
	l := &loader{
		settings: Settings(),
		flags:    flags,
		env:      environment(environ),
		file:     viper.New(),
		config:   &Config{},
	}
	l.openFile()
	l.refuseUnknownVariables()
	for i := range l.settings {
		l.take(&l.settings[i])
	}
	// Values that failed hold their zero value, which is no basis for judging
	// them beside others.
	if len(l.errs) == 0 {
		l.errs = l.config.together()
	}
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	l.config.Redis.URLName, l.config.Redis.PasswordName = l.config.given("redis-url"), "the file of "+l.config.given("redis-password-file")
	l.config.warn()
	return l.config, nil
}

type loader struct {
	settings []Setting
	flags    *pflag.FlagSet
	env      map[string]string
	file     *viper.Viper
	path     string // of the file, or ""
	config   *Config
	errs     []error
}

// environment is environ without the blanks and line ends around its values, which
// files of variables leave there, and without empty ones, which count as unset.
func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if value = strings.TrimSpace(value); value != "" {
			env[name] = value
		}
	}
	return env
}

func (l *loader) refuse(what, hint string) {
	l.errs = append(l.errs, fault.New(fault.Usage, errors.New(what), hint))
}

// maxConfigFile bounds a settings file, in bytes.
const maxConfigFile = 1 << 20

// openFile reads the file that --config or FHCTL_CONFIG names and refuses keys
// that are no settings.
func (l *loader) openFile() {
	i := slices.IndexFunc(l.settings, func(s Setting) bool { return s.Name == "config" })
	path, origin := l.lookup(&l.settings[i])
	if path == "" {
		return
	}
	data, err := files.Read(path, maxConfigFile)
	if err != nil {
		l.refuse(fmt.Sprintf("%s: %v", origin, err), "give the path of a YAML file that this user may read")
		return
	}
	written, lines, err := parseFile(data)
	if err == nil {
		err = l.file.MergeConfigMap(written)
	}
	if err != nil {
		l.refuse(fmt.Sprintf("file %s: %v", path, err), "write one setting per line, such as batch-size: 500")
		return
	}
	l.path, l.config.secret = path, l.secretOf(path)
	l.refuseUnknownKeys(lines)
}

func (l *loader) refuseUnknownVariables() {
	names := make([]string, 0, len(l.env))
	for name, value := range l.env {
		if strings.HasPrefix(name, prefix) && !foreign(name, value) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.ContainsFunc(l.settings, func(s Setting) bool { return s.Env == name }) {
			l.refuse("environment: unknown variable "+name,
				didYouMean(name, l.settings, func(s *Setting) string { return s.Env }))
		}
	}
}

// didYouMean finds the setting that word was meant to be, under any of the
// names people know it by, and gives the name that would have worked.
func didYouMean(word string, settings []Setting, right func(*Setting) string) string {
	word = strings.TrimPrefix(strings.ToUpper(word), prefix)
	names, meant := []string{}, map[string]string{}
	for i := range settings {
		s := &settings[i]
		for _, name := range []string{strings.TrimPrefix(s.prefixed(), prefix), strings.TrimPrefix(s.Env, prefix)} {
			names = append(names, name)
			meant[name] = right(s)
		}
	}
	if name := Nearest(word, names); name != "" {
		return "did you mean " + meant[name] + "?"
	}
	return listHint
}

const listHint = "fhctl config show lists every name"

// take resolves one setting, parses it into its field and notes its origin.
func (l *loader) take(s *Setting) {
	value, origin := l.lookup(s)
	l.config.Values = append(l.config.Values, Value{Name: s.Name, Text: s.shown(value), Origin: origin})
	items := s.split(value)
	err := s.store(l.config, s, items)
	if s.List && len(items) == 0 && value != "" {
		l.refuse(fmt.Sprintf("%s: %q holds nothing, and that would mean everything", l.config.where(s.Name), value), "leave the setting out, or name what it is to keep")
	}
	if err == nil {
		return
	}
	what := err.Error()
	if !s.List { // a list's error quotes the item
		what = fmt.Sprintf("%q %s", s.shown(value), err)
	}
	l.refuse(l.config.where(s.Name)+": "+what, hintOf(err))
}

func hintOf(err error) string {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.hint
	}
	return ""
}

// lookup is the precedence: flag, environment, file, default.
func (l *loader) lookup(s *Setting) (string, Origin) {
	if l.flags != nil {
		if flag := l.flags.Lookup(s.Name); flag != nil && flag.Changed {
			// A command may have a flag of its own by a setting's name.
			if value, ours := flag.Value.(*flagValue); ours {
				return strings.TrimSpace(value.text), Origin{LayerFlag, "--" + s.Name}
			}
		}
	}
	if value, ok := l.env[s.Env]; ok {
		return value, Origin{LayerEnvironment, s.Env}
	}
	if _, ok := l.env[s.presence]; ok {
		return "true", Origin{LayerEnvironment, s.presence}
	}
	switch value := l.file.Get(s.Name).(type) {
	case nil, map[string]any: // the latter was refused
	case string:
		if text := strings.TrimSpace(value); text != "" || !s.List {
			return text, Origin{LayerFile, l.path}
		}
		return ",", Origin{LayerFile, l.path} // a list of nothing
	default:
		return fileText(value), Origin{LayerFile, l.path}
	}
	return s.Default, Origin{}
}

// fileText is a YAML value as it would be written elsewhere. Shapes no setting
// has come out as text that no setting takes.
func fileText(value any) string {
	switch v := value.(type) {
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = fileText(item)
		}
		return strings.Join(items, ",")
	case map[string]any:
		return "{…}"
	case string:
		return strings.TrimSpace(v)
	default:
		return fmt.Sprint(v)
	}
}

// given is how people name where a setting was given.
func (c *Config) given(name string) string {
	switch origin := c.Origin(name); origin.Layer {
	case LayerFile:
		return name + " in " + origin.Where
	case LayerDefault:
		return name
	default:
		return origin.Where
	}
}

// where is the origin of a setting, with its name where the origin lacks it.
func (c *Config) where(name string) string {
	origin := c.Origin(name)
	if origin.Layer == LayerFile || origin.Layer == LayerDefault {
		return origin.String() + ": " + name
	}
	return origin.String()
}

// refusal is the error for a setting whose value is good by itself and wrong
// beside the others.
func (c *Config) refusal(name, what, hint string) error {
	i := slices.IndexFunc(c.Values, func(v Value) bool { return v.Name == name })
	return fault.New(fault.Usage, fmt.Errorf("%s: %q %s", c.where(name), c.Values[i].Text, what), hint)
}

// Refuse says that a setting's value was found unusable by the package it
// serves. The error keeps err's class and hint, and is of class usage where err
// has none. Nothing is added but the origin, so err must not hold a secret.
func (c *Config) Refuse(name string, err error) error {
	class := fault.Usage
	if e, ok := errors.AsType[*fault.Error](err); ok {
		class = e.Class
	}
	return fault.New(class, fmt.Errorf("%s: %w", c.where(name), err), fault.HintOf(err))
}
