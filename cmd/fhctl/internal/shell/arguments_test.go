package shell

import (
	"testing"

	"github.com/spf13/pflag"
)

// A number with zeros in front is the number, as it is in a variable or a file.
func TestFlagsAreDecimal(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.Int64("limit", 0, "")
	limit := flags.Lookup("limit")
	limit.Value = decimal{limit.Value}
	for text, want := range map[string]string{"010": "10", "0": "0", "000": "0", "-010": "-10", "9223372036854775807": "9223372036854775807"} {
		if err := flags.Set("limit", text); err != nil || limit.Value.String() != want {
			t.Errorf("%q is %s, %v, want %s", text, limit.Value, err, want)
		}
	}
	for _, text := range []string{"", "-", "0x10", "0b1", "1_000", "--1", "1-", "+1", " 1", "9223372036854775808"} {
		if err := flags.Set("limit", text); err == nil {
			t.Errorf("%q is taken for %s", text, limit.Value)
		}
	}
}
