package redisstream

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// follows gives the replies one byte at a time, and all at once.
func follows(t *testing.T, limit int64, sent string) (passed int, err error) {
	t.Helper()
	f := framing{limit: limit}
	passed, err = f.follow([]byte(sent))
	g := framing{limit: limit}
	for i := range len(sent) {
		n, bad := g.follow([]byte{sent[i]})
		if bad != nil {
			if fmt.Sprint(bad) != fmt.Sprint(err) || n != 0 {
				t.Errorf("%.60q: byte by byte %v, at once %v", sent, bad, err)
			}
			return passed, err
		}
	}
	if err != nil || f.replies != g.replies || f.whole() != g.whole() {
		t.Errorf("%.60q: %d replies byte by byte, %d at once (%v)", sent, g.replies, f.replies, err)
	}
	return passed, err
}

func TestFramingPassesSoundReplies(t *testing.T) {
	for sent, replies := range map[string]int64{
		"+OK\r\n":             1,
		"-ERR no\r\n:1\r\n":   2,
		"$5\r\nhe\r\no\r\n":   1,
		"$0\r\n\r\n$-1\r\n":   2,
		"*0\r\n*-1\r\n":       2,
		"*2\r\n$1\r\na\r\n:4": 0,
		"*2\r\n*2\r\n:1\r\n*1\r\n$-1\r\n+x\r\n+y\r\n":          2,
		"%1\r\n+a\r\n:1\r\n~1\r\n_\r\n>1\r\n#t\r\n":            3,
		"|1\r\n+a\r\n+b\r\n*1\r\n,1.5\r\n":                     1,
		"=7\r\ntxt:a\r\n\r\n!3\r\nERR\r\n(12345\r\n":           3,
		strings.Repeat("*1\r\n", deepest) + "+x\r\n":           1,
		"+" + strings.Repeat("a", longestLine-3) + "\r\n":      1,
		"$1000\r\n" + strings.Repeat("\x00", 1000) + "\r\n":    1,
		"*3\r\n$1\r\n*\r\n$1\r\n$\r\n$2\r\n\r\n\r\n+after\r\n": 2,
	} {
		f := framing{limit: 1 << 20}
		n, err := f.follow([]byte(sent))
		if err != nil || n != len(sent) || f.replies != replies {
			t.Errorf("%.60q: %d of %d bytes, %d replies, %v", sent, n, len(sent), f.replies, err)
		}
		if _, err := follows(t, 1<<20, sent); err != nil {
			t.Errorf("%.60q: %v", sent, err)
		}
	}
}

// What is refused is never passed on whole: the reader behind waits for the rest
// and gets the error.
func TestFramingRefuses(t *testing.T) {
	const limit = 1 << 20
	for _, sent := range []string{
		"%30000000\r\n", "*1000000000\r\n", "$999999999999\r\n", "=999999999\r\n", "!999999999\r\n", "~999999999\r\n",
		">999999999\r\n", "|999999999\r\n", "*99999999999999999999\r\n", "$1048577\r\n",
		"-ERR " + strings.Repeat("x", longestLine), "+" + strings.Repeat("x", longestLine) + "\r\n",
		"(" + strings.Repeat("1", longestLine) + "\r\n", ":" + strings.Repeat("0", longestLine),
		strings.Repeat("*1\r\n", deepest+1), strings.Repeat("|0\r\n", deepest+1), strings.Repeat("*2\r\n", 1000),
		"$?\r\n", "*?\r\n", "%?\r\n", "~?\r\n", ";4\r\n", ".\r\n", "$+5\r\n", "$\r\n", "$-\r\n", "$-2\r\n", "*-7\r\n", "$5\n", "$5\r5\n", "* 1\r\n",
		"$000000000000000000000000000005\r\n", "HTTP/1.1 400 Bad Request\r\n", "\x15\x03\x01\x00\x02\x02\x46", "\r\n",
		// Bounded together, though each is small.
		"*20\r\n" + strings.Repeat("$100000\r\n"+strings.Repeat("x", 100000)+"\r\n", 20),
		"*30\r\n" + strings.Repeat("*1000\r\n"+strings.Repeat(":1\r\n", 1000), 30),
		"*20000\r\n" + strings.Repeat("+"+strings.Repeat("s", 100)+"\r\n", 20000),
	} {
		passed, err := follows(t, limit, sent)
		var peer *peerError
		if !errors.As(err, &peer) || peer.cause != causeProtocol {
			t.Errorf("%.60q: %v", sent, err)
			continue
		}
		if passed > limit+longestLine || passed == len(sent) {
			t.Errorf("%.60q: %d of %d bytes are passed on", sent, passed, len(sent))
		}
	}
}

// The bound is on one reply, not on a connection.
func TestFramingBoundsEachReply(t *testing.T) {
	f := framing{limit: 4096}
	reply := []byte("*2\r\n$2000\r\n" + strings.Repeat("x", 2000) + "\r\n$1000\r\n" + strings.Repeat("y", 1000) + "\r\n")
	for range 1000 {
		if _, err := f.follow(reply); err != nil {
			t.Fatal(err)
		}
	}
	if f.replies != 1000 || !f.whole() {
		t.Errorf("%d replies", f.replies)
	}
}

func BenchmarkFraming(b *testing.B) {
	for name, reply := range map[string]string{
		"append": "*7\r\n$2\r\nOK\r\n$11\r\n70000000123\r\n$1\r\n3\r\n:500\r\n:0\r\n:500000\r\n$0\r\n\r\n",
		"page":   "*1000\r\n" + strings.Repeat("*2\r\n$15\r\n1790000000000-0\r\n*6\r\n$4\r\ntype\r\n$6\r\ncommit\r\n$4\r\ndata\r\n$600\r\n"+strings.Repeat("x", 600)+"\r\n$3\r\nseq\r\n$11\r\n70000000123\r\n", 1000),
	} {
		b.Run(name, func(b *testing.B) {
			f, p := framing{limit: readReply}, []byte(reply)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.follow(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
