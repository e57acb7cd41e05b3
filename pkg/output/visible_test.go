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
