package resp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// follows gives the replies one byte at a time, and all at once.
func follows(t *testing.T, limit int64, sent string) (passed int, err error) {
	t.Helper()
	f := Follower{Limit: limit}
	passed, err = f.Follow([]byte(sent))
	g := Follower{Limit: limit}
	for i := range len(sent) {
		n, bad := g.Follow([]byte{sent[i]})
		if bad != nil {
			if fmt.Sprint(bad) != fmt.Sprint(err) || n != 0 {
				t.Errorf("%.60q: byte by byte %v, at once %v", sent, bad, err)
			}
			return passed, err
		}
	}
	if err != nil || f.Messages != g.Messages || f.Whole() != g.Whole() {
		t.Errorf("%.60q: %d replies byte by byte, %d at once (%v)", sent, g.Messages, f.Messages, err)
	}
	return passed, err
}

func TestFollowerPassesSoundReplies(t *testing.T) {
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
		f := Follower{Limit: 1 << 20}
		n, err := f.Follow([]byte(sent))
		if err != nil || n != len(sent) || f.Messages != replies {
			t.Errorf("%.60q: %d of %d bytes, %d replies, %v", sent, n, len(sent), f.Messages, err)
		}
		if _, err := follows(t, 1<<20, sent); err != nil {
			t.Errorf("%.60q: %v", sent, err)
		}
	}
}

// What is refused is never passed on whole: the reader behind waits for the rest
// and gets the error.
func TestFollowerRefuses(t *testing.T) {
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
		var refused *Error
		if !errors.As(err, &refused) || refused.What == "" {
			t.Errorf("%.60q: %v", sent, err)
			continue
		}
		if passed > limit+longestLine || passed == len(sent) {
			t.Errorf("%.60q: %d of %d bytes are passed on", sent, passed, len(sent))
		}
	}
}

// The bound is on one reply, not on a connection.
func TestFollowerBoundsEachReply(t *testing.T) {
	f := Follower{Limit: 4096}
	reply := []byte("*2\r\n$2000\r\n" + strings.Repeat("x", 2000) + "\r\n$1000\r\n" + strings.Repeat("y", 1000) + "\r\n")
	for range 1000 {
		if _, err := f.Follow(reply); err != nil {
			t.Fatal(err)
		}
	}
	if f.Messages != 1000 || !f.Whole() {
		t.Errorf("%d replies", f.Messages)
	}
}

func BenchmarkFollower(b *testing.B) {
	for name, reply := range map[string]string{
		"append": "*7\r\n$2\r\nOK\r\n$11\r\n70000000123\r\n$1\r\n3\r\n:500\r\n:0\r\n:500000\r\n$0\r\n\r\n",
		"page":   "*1000\r\n" + strings.Repeat("*2\r\n$15\r\n1790000000000-0\r\n*6\r\n$4\r\ntype\r\n$6\r\ncommit\r\n$4\r\ndata\r\n$600\r\n"+strings.Repeat("x", 600)+"\r\n$3\r\nseq\r\n$11\r\n70000000123\r\n", 1000),
	} {
		b.Run(name, func(b *testing.B) {
			f, p := Follower{Limit: 32 << 20}, []byte(reply)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Follow(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Whatever comes, in whatever pieces: the verdict is the same, nothing behind it
// is passed on, and what is passed on declares no more than the limit.
func FuzzFollower(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "*2\r\n$3\r\nabc\r\n:1\r\n", "%30000000\r\n", "|1\r\n+a\r\n+b\r\n*0\r\n", "$-1\r\n*-1\r\n", "*1\r\n*1\r\n*1\r\n", "-ERR x\r\n", "$?\r\n"} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, sent []byte, step uint8) {
		const limit = 4096
		once := Follower{Limit: limit}
		passed, err := once.Follow(sent)
		if passed > len(sent) || err == nil && passed != len(sent) {
			t.Fatalf("%d of %d bytes, %v", passed, len(sent), err)
		}
		pieces, total := Follower{Limit: limit}, 0
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), int(step%7)+1)
			k, bad := pieces.Follow(rest[:n])
			if total += k; bad != nil {
				if err == nil || bad.Error() != err.Error() {
					t.Fatalf("in pieces %v, at once %v", bad, err)
				}
				return
			}
			rest = rest[n:]
		}
		if err != nil || pieces.Messages != once.Messages || pieces.Whole() != once.Whole() || pieces.Said() != once.Said() {
			t.Fatalf("in pieces %d messages, at once %d (%v)", pieces.Messages, once.Messages, err)
		}
	})
}
