// Package atproto reads the event stream of an AT Protocol relay (the firehose,
// com.atproto.sync.subscribeRepos) from a Go program. Begin with [Events]:
//
//	for ev, err := range atproto.Events(ctx, atproto.Options{Relay: "wss://bsky.network"}) {
//		if err != nil {
//			log.Print(err)
//			continue
//		}
//		fmt.Println(ev.Seq, ev.Kind, string(ev.DID))
//	}
//
// Events connects, reconnects where it stopped, and gives each event once, in the
// order of its seq. To go on in another process, keep the seq of the last event that
// was dealt with and give it as [Options.After].
//
// A program that has frames of its own uses [Decode], or a [Decoder], which allocates
// nothing once its memory has grown. Records become atproto JSON while a commit is
// decoded ([event.Op.Record]); [Options.Raw] leaves them as DAG-CBOR blocks.
//
// What an event holds is described at [Event]. Its bytes are valid until the next
// event of the loop: copy what must live longer. Nothing here verifies signatures.
package atproto
