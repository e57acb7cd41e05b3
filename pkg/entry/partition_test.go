package entry

import (
	"hash/fnv"
	"math/rand/v2"
	"testing"
)

// The vectors of docs/stream-entry.md: a worker in another language must come to
// the same partition.
func TestPartitionVectors(t *testing.T) {
	for _, v := range []struct {
		did  string
		want [4]int // of 2, 3, 4 and 8
	}{
		{"did:plc:aaaabbbbccccddddeeeeffff", [4]int{1, 2, 1, 5}},
		{"did:plc:z72i7hdynmk6r22z27h6tvur", [4]int{1, 0, 3, 7}},
		{"did:web:cat.example", [4]int{0, 0, 0, 0}},
		{"", [4]int{1, 1, 1, 5}},
	} {
		for i, n := range []int{2, 3, 4, 8} {
			if got := PartitionOf(v.did, n); got != v.want[i] {
				t.Errorf("%q of %d: %d, want %d", v.did, n, got, v.want[i])
			}
		}
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(v.did))
		if got := PartitionOf(v.did, 1<<30); got != int(hash.Sum32()%(1<<30)) {
			t.Errorf("%q is not hashed with FNV-1a", v.did)
		}
	}
}

// An entry's partition is its account's, whatever the order of its keys.
func TestPartitionOfData(t *testing.T) {
	const did, n = "did:plc:z72i7hdynmk6r22z27h6tvur", 8
	want := PartitionOf(did, n)
	for _, data := range []string{
		`{"repo":"` + did + `","ops":[]}`,
		`{"did":"` + did + `","handle":null}`,
		`{"ops":[{"path":"a/b"}],"repo":"` + did + `"}`,
		`{"active":true, "did": "` + did + `"}`,
		`{"repo":"did\u003aplc:z72i7hdynmk6r22z27h6tvur"}`,
	} {
		if got := Partition([]byte(data), n); got != want {
			t.Errorf("%s: partition %d, want %d", data, got, want)
		}
	}
	nobody := PartitionOf("", n)
	for _, data := range []string{``, `{}`, `[]`, `{"repo":"did:plc`, `{"repo":7}`} {
		if got := Partition([]byte(data), n); got != nobody {
			t.Errorf("%s: partition %d, want %d", data, got, nobody)
		}
	}
	if got := Partition([]byte(`{"repo":"`+did+`"}`), 1); got != 0 {
		t.Errorf("the only partition is %d", got)
	}
}

// Accounts spread evenly: no partition has a tenth more than its share.
func TestPartitionsAreEven(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const dids, digits = 50_000, "abcdefghijklmnopqrstuvwxyz234567"
	for _, n := range []int{2, 3, 4, 5, 8, 16} {
		count := make([]int, n)
		for range dids {
			did := []byte("did:plc:000000000000000000000000")
			for i := range 24 {
				did[8+i] = digits[rng.IntN(32)]
			}
			count[PartitionOf(did, n)]++
		}
		for i, c := range count {
			if share := dids / n; c < share*9/10 || c > share*11/10 {
				t.Errorf("partition %d of %d has %d of %d accounts", i, n, c, dids)
			}
		}
	}
}

func BenchmarkPartition(b *testing.B) {
	data := []byte(`{"repo":"did:plc:z72i7hdynmk6r22z27h6tvur","ops":[]}`)
	for b.Loop() {
		Partition(data, 4)
	}
}
