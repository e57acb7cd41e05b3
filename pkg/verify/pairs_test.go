package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Two faults in one stream are both named, by their own rules and no other, whatever
// they are: one does not hide or change the other. Strict changes their severity
// and nothing else.
func TestPairsOfPlantedFaults(t *testing.T) {
	original := record
	record := func(from, to string) func(*Entry) {
		return func(e *Entry) { e.Fields[3] = create(strings.Replace(original, from, to, 1)) }
	}
	data := func(typ, text string) func(*Entry) {
		return func(e *Entry) { e.Fields[1], e.Fields[3] = typ, text }
	}
	op := func(members string) string { return `{"repo":"` + did + `","ops":[{` + members + `}]}` }
	faults := map[Rule]func(*Entry){
		FieldMissing: func(e *Entry) { e.Fields = e.Fields[2:] },
		FieldOrder:   func(e *Entry) { e.Fields = swapped(e.Fields, 0, 2) },
		TypeUnknown:  func(e *Entry) { e.Fields[1] = "#commit" },
		DataJSON:     data("commit", `{"repo":`),
		DataObject:   data("commit", `null`),
		DataKey:      data("account", `{"did":"`+did+`"}`),
		DataReserved: data("commit", `{"repo":"`+did+`","ops":[],"time":1}`),
		DataSize:     data("commit", `{"repo":"`+did+`","ops":[],"pad":"`+strings.Repeat("x", MaxData)+`"}`),
		DIDSyntax:    data("commit", `{"repo":"did:plc","ops":[]}`),
		HandleDID:    data("identity", `{"did":"`+did+`","handle":"`+did+`"}`),
		HandleSyntax: data("identity", `{"did":"`+did+`","handle":"a b"}`),
		OpShape:      data("commit", op(`"action":"rename","path":"a.b.c/d"`)),
		OpPath:       data("commit", op(`"action":"delete","path":"ab"`)),
		OpPathStrict: data("commit", op(`"action":"delete","path":"a/b c"`)),
		CIDSyntax:    func(e *Entry) { e.Fields[3] = strings.Replace(create(original), cid, strings.ToUpper(cid), 1) },
		RecordType:   record(`"$type":"app.bsky.feed.post",`, ``),
		RecordCasing: record(`createdAt`, `created_at`),
		RecordNull:   record(`"text":"hej"`, `"text":"hej","facets":null`),
		RecordLink:   record(`{"$link":"bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm"}`, `"01551220"`),
		RecordNumber: record(`321`, `321.0`),
		RecordCID:    record(`hej`, `HEJ`),
		RevSyntax:    func(e *Entry) { e.Fields = append(e.Fields, "rev", "x") },
	}
	const first, second = 5, 10 // both creates
	for one, plantOne := range faults {
		for two, plantTwo := range faults {
			for _, strict := range []bool{false, true} {
				list := sound()
				plantOne(&list[first])
				plantTwo(&list[second])
				found, sum := listed(t, list, Config{Strict: strict}, nil)
				want := []string{fmt.Sprintf("%s %d", one, 101+first), fmt.Sprintf("%s %d", two, 101+second)}
				for i := range found {
					found[i] = strings.Join(strings.SplitN(found[i], " ", 3)[:2], " ")
				}
				if !slices.Equal(found, want) || strict && sum.Errors != 2 || sum.Errors+sum.Warnings != 2 {
					t.Errorf("strict %v: found %q, want %q; %+v", strict, found, want, sum.Rules)
				}
			}
		}
	}
}
