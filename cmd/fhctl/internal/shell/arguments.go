package shell

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/pkg/config"
)

// AtMost lets a command have n arguments; the first one more is named.
func AtMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		takes := "no arguments"
		if n > 0 {
			takes = fmt.Sprintf("%d at most", n)
		}
		return UsageError(fmt.Errorf("%q is one argument too many for %q, which takes %s", args[n], cmd.CommandPath(), takes),
			fmt.Sprintf("%q shows what it takes", cmd.CommandPath()+" --help"))
	}
}

// CheckArguments makes cmd and all below it refuse a value that stands behind a
// switch with a blank between: it would be taken for an argument, and mean
// something else. Whole numbers are decimal, as those of settings are: 010 is 10.
func (a *Env) CheckArguments(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if slices.Contains([]string{"int", "int64", "uint64"}, f.Value.Type()) {
			f.Value = decimal{f.Value}
		}
	})
	inner := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := straySwitchValue(cmd.Flags(), a.args); err != nil || inner == nil {
			return err
		}
		return inner(cmd, args)
	}
	for _, member := range cmd.Commands() {
		a.CheckArguments(member)
	}
}

// straySwitchValue looks for "--dashboard false" among the words typed.
func straySwitchValue(flags *pflag.FlagSet, words []string) error {
	for i, word := range words {
		on, isSwitch := switchValue(word)
		switch {
		case word == "--":
			return nil
		case !isSwitch || i == 0:
			continue
		}
		if name := switchNamed(flags, words[i-1]); name != "" {
			return UsageError(fmt.Errorf("%q behind %s is not its value: a switch takes one only with =", word, words[i-1]),
				fmt.Sprintf("write --%s=%t", name, on))
		}
	}
	return nil
}

// switchValue is what a word means to people as the value of a switch.
func switchValue(word string) (on, ok bool) {
	switch strings.ToLower(word) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

// switchNamed is the name of the switch that a word is, "" when it is none.
func switchNamed(flags *pflag.FlagSet, word string) string {
	var flag *pflag.Flag
	switch name, long := strings.CutPrefix(word, "--"); {
	case long:
		flag = flags.Lookup(name)
	case len(word) > 1 && word[0] == '-' && word[1] < 0x80:
		flag = flags.ShorthandLookup(word[len(word)-1:])
	}
	if flag == nil || flag.NoOptDefVal == "" {
		return ""
	}
	return flag.Name
}

// FlagError turns a flag that does not parse into a usage error with a hint.
func FlagError(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("%q lists the flags", cmd.CommandPath()+" --help")
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return valueError(bad.GetFlag(), bad.GetValue(), bad.Unwrap())
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	switch {
	case !ok:
		return UsageError(err, hint)
	case negative(unknown):
		return negativeError(cmd, "-"+unknown.GetSpecifiedShortnames())
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if name := config.Nearest(unknown.GetSpecifiedName(), names); name != "" {
		hint = "did you mean --" + name + "?"
	}
	return UsageError(err, hint)
}

// negative reports whether what was taken for a short flag is a number.
func negative(unknown *pflag.NotExistError) bool {
	name := unknown.GetSpecifiedName()
	return len(name) == 1 && strings.Contains("0123456789.", name)
}

// negativeError says what a number below 0 could have meant.
func negativeError(cmd *cobra.Command, word string) error {
	err := fmt.Errorf("%s is not a flag, and a value below 0 means nothing to %q", word, cmd.CommandPath())
	switch {
	case cmd.CommandPath() == "fhctl cursor set":
		return UsageError(err, "a place in the past has a unit, such as -2h or -10m, and a seq has no sign")
	case cmd.Flags().ShorthandLookup("n") != nil:
		return UsageError(err, "for the last entries write -n "+strings.TrimPrefix(word, "-"))
	}
	return UsageError(err, fmt.Sprintf("an argument that begins with a dash goes behind --; %q lists the flags", cmd.CommandPath()+" --help"))
}

// valueError says what a flag takes, in words and not in those of the parser.
func valueError(flag *pflag.Flag, value string, cause error) error {
	what, hint := "cannot be read", "see --help"
	switch flag.Value.Type() {
	case "bool":
		what, hint = "is neither true nor false", "write --"+flag.Name+" or --"+flag.Name+"=false"
	case "duration":
		what, hint = "is not a duration", "write a number and a unit (ms, s, m, h), such as "+sampleOf(flag, "0s", "30s")
	case "int", "int64", "uint64":
		what, hint = "is not a whole number", "write digits only, such as "+sampleOf(flag, "0", "100")
	case "float64":
		what, hint = "is not a number", "write it like "+sampleOf(flag, "0", "2.5")
	case "stringSlice":
		what, hint = "is not a list", "write items with commas between, and close each quote"
	}
	if errors.Is(cause, strconv.ErrRange) {
		what, hint = "is out of range", "write a smaller number, such as "+sampleOf(flag, "0", "100")
	}
	return UsageError(fmt.Errorf("flag --%s: %q %s", flag.Name, value, what), hint)
}

// sampleOf is a value that a flag takes: its default, unless that is none.
func sampleOf(flag *pflag.Flag, none, sample string) string {
	if flag.DefValue == none {
		return sample
	}
	return flag.DefValue
}

// annotationPositive marks a flag for which 0 means nothing.
const annotationPositive = "fhctl_positive"

// decimal is the value of a flag that takes a whole number.
type decimal struct{ pflag.Value }

// Set takes digits, with a sign or not. Without this a leading 0 would make a
// number octal, and letters hexadecimal.
func (d decimal) Set(text string) error {
	digits := strings.TrimLeft(strings.TrimPrefix(text, "-"), "0")
	if strings.Trim(text, "-0123456789") != "" || text == "" || text == "-" || strings.LastIndex(text, "-") > 0 {
		return strconv.ErrSyntax
	}
	if digits == "" {
		return d.Value.Set("0")
	}
	if text[0] == '-' {
		digits = "-" + digits
	}
	return d.Value.Set(digits)
}

// Positive marks flags that mean nothing with 0.
func Positive(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		_ = flags.SetAnnotation(name, annotationPositive, []string{"true"}) // fails for unknown flags only
	}
}

// refuseOutOfRange refuses flags that are given with a number which means nothing:
// none has a meaning below 0, and some have none for 0.
func refuseOutOfRange(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if err != nil || !slices.Contains([]string{"int", "int64", "float64", "duration"}, f.Value.Type()) {
			return
		}
		value, zero, least := f.Value.String(), f.Value.String() == "0" || f.Value.String() == "0s", "0"
		n, floatErr := strconv.ParseFloat(value, 64)
		_, isPositive := f.Annotations[annotationPositive]
		if isPositive {
			least = "1"
		}
		hint := "write a number, " + least + " or more"
		if f.Value.Type() == "duration" {
			hint = "write a duration such as " + sampleOf(f, "0s", "30s")
		}
		endless := floatErr == nil && (math.IsNaN(n) || math.IsInf(n, 0))
		if value[0] == '-' || endless || zero && isPositive {
			err = UsageError(fmt.Errorf("flag --%s: %s is out of range", f.Name, value), hint)
		}
	})
	return err
}
