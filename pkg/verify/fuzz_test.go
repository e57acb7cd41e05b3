package verify

import "testing"

// FuzzEntry: foreign entries never panic, whatever they hold.
func FuzzEntry(f *testing.F) {
	f.Add("commit", create(record))
	f.Add("identity", `{"did":"did:plc:x","handle":null}`)
	f.Add("account", `{"did":"did:plc:x","active":true}`)
	f.Fuzz(func(t *testing.T, typ, text string) {
		s := NewStream(Config{Report: func(f Finding) {
			if infos[f.Rule] == nil || f.Fix == "" {
				t.Fatalf("rule %q is not in the table", f.Rule)
			}
		}})
		for _, fields := range [][]string{{"type", typ, "data", text, "seq", "5"}, {typ, text, "seq", text}} {
			if err := s.Entry(t.Context(), Entry{ID: "1-0", Fields: fields}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
