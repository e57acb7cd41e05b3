package output_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/fhctl/fhctl/pkg/output"
)

// What steers a terminal is escaped; the JSON says the same, however it is written.
func TestJSONOnATerminalSaysTheSame(t *testing.T) {
	var all strings.Builder
	for r := rune(0x20); r < 0x10000; r++ {
		if r < 0xd800 || r > 0xdfff {
			all.WriteRune(r)
		}
	}
	all.WriteString("\U000e0041😀é")
	var line bytes.Buffer
	to := json.NewEncoder(&line)
	to.SetEscapeHTML(false)
	if err := to.Encode(map[string]string{"x": all.String()}); err != nil {
		t.Fatal(err)
	}
	var at, once bytes.Buffer
	if _, err := io.Copy(output.Visible(&at), iotest.OneByteReader(bytes.NewReader(line.Bytes()))); err != nil {
		t.Fatal(err)
	}
	if n, err := output.Visible(&once).Write(line.Bytes()); n != line.Len() || err != nil || !bytes.Equal(once.Bytes(), at.Bytes()) {
		t.Errorf("%d, %v; in one piece it is other bytes", n, err)
	}
	var back map[string]string
	if err := json.Unmarshal(at.Bytes(), &back); err != nil || back["x"] != all.String() {
		t.Errorf("it says something else: %v", err)
	}
	// The flags of parts of countries are what people see, in whatever pieces they come.
	const scotland = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
	for said, want := range map[string]string{
		scotland + " wins\n":                         scotland + " wins\n",
		scotland + scotland + "\n":                   scotland + scotland + "\n",
		"🏴\U000e0067 hides\n":                        `🏴\udb40\udc67` + " hides\n",
		"🏴 a flag\n":                                 "🏴 a flag\n",
		scotland + "\U000e0067\n":                    scotland + `\udb40\udc67` + "\n",
		"🏴" + strings.Repeat("\U000e0067", 9) + "\n": "🏴" + strings.Repeat(`\udb40\udc67`, 9) + "\n",
	} {
		var slow, quick bytes.Buffer
		_, _ = io.Copy(output.Visible(&slow), iotest.OneByteReader(strings.NewReader(said)))
		_, _ = output.Visible(&quick).Write([]byte(said))
		if slow.String() != want || quick.String() != want {
			t.Errorf("%+q becomes %+q and %+q, want %+q", said, slow.String(), quick.String(), want)
		}
	}
	if w := output.Width(scotland); w != 2 {
		t.Errorf("a flag takes %d columns", w)
	}
	bad := func(r rune) bool {
		return r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) || r == 0x2028 || r == 0x2029)
	}
	if i := strings.IndexFunc(at.String(), bad); i >= 0 {
		t.Errorf("%q passes", at.String()[i:i+3])
	}
	for _, sound := range []string{"\x1b[31mred\x1b[0m\r\n", "é😀‍\xff\xfe"} {
		var b bytes.Buffer
		if _, err := output.Visible(&b).Write([]byte(sound)); err != nil || b.String() != sound {
			t.Errorf("%q becomes %q, %v", sound, b.String(), err)
		}
	}
}
