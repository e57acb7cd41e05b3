package strangers_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/strangers"
)

// A bridge has stored two events above our cursor. Of four events of ours, two are in the
// stream already, one would come behind a later one of its account, and one is stored.
func Example() {
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	target, err := conn.Parse(conn.Connection{URL: server.URL()}.WithDefaults())
	if err != nil {
		log.Fatal(err)
	}
	client := target.Connect(conn.StoreReply)
	defer client.Close()
	ctx := context.Background()
	identity := func(did string) []byte { return fmt.Appendf(nil, `{"did":%q,"handle":null}`, did) }
	for _, e := range []struct{ seq, did string }{{"12", "did:plc:a"}, {"13", "did:plc:b"}} {
		if err := client.Do(ctx, "xadd", "events", "*", "type", "identity", "data", identity(e.did), "seq", e.seq).Err(); err != nil {
			log.Fatal(err)
		}
	}

	watch := strangers.New(strangers.Stream{Client: client, Key: "events",
		Retry: func(ctx context.Context, _ string, do func(context.Context) error) error { return do(ctx) }})
	watch.Start()
	if err := watch.Find(ctx, 10, nil); err != nil {
		log.Fatal(err)
	}
	var ours event.Batch
	ours.Reset(event.AfterSeq(10))
	for seq, did := range []string{11: "did:plc:b", 12: "did:plc:a", 13: "did:plc:b", 14: "did:plc:b"} {
		if did != "" {
			ours.Add(event.Seq(seq), event.KindIdentity, identity(did))
		}
	}
	watch.Judge([]*event.Batch{&ours}, true)
	for _, e := range ours.Entries {
		switch watch.Of(e.Seq) {
		case strangers.ToStore:
			fmt.Println(e.Seq, "is stored")
		case strangers.Present:
			fmt.Println(e.Seq, "is there")
		case strangers.Lost:
			fmt.Println(e.Seq, "is lost: a later event of its account is there")
		}
	}
	// Output:
	// 11 is lost: a later event of its account is there
	// 12 is there
	// 13 is there
	// 14 is stored
}
