package dagcbor_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

func unbase64(tb testing.TB, text string) []byte {
	tb.Helper()
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
