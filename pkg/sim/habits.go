package sim

import (
	"strconv"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// write plays a commit. Most have one op (147 of 148 in a recording of the
// live network); some have none, a few very many.
func (c *chapter) write(a *account, seq event.Seq, when time.Time, wanted bool) ([]byte, error) {
	const (
		of          = 10_000
		empty       = 20
		bulk        = empty + 2
		several     = bulk + 300
		deleting    = several + 350
		most        = 200 // ops of a commit (E1)
		severalMost = 10
	)
	draw := c.random.IntN(of)
	return c.commit(a, seq, when, wanted, func(w *commit) {
		switch {
		case len(a.records) > maxRecords:
			for range most / 2 {
				w.drop(0)
			}
		case draw < empty:
		case draw < bulk:
			for range most {
				c.like(w)
			}
		case draw < several:
			for range 2 + c.random.IntN(severalMost-1) {
				c.change(w)
			}
		case draw < deleting:
			c.remove(w)
		default:
			c.create(w)
		}
	})
}

// change makes one of the ops of a larger commit.
func (c *chapter) change(w *commit) {
	switch draw := c.random.IntN(10); {
	case draw < 2:
		c.remove(w)
	case draw < 3:
		c.update(w)
	default:
		c.create(w)
	}
}

// remove deletes something, or makes something when there is nothing.
func (c *chapter) remove(w *commit) {
	if n := len(w.by.records); n > 0 {
		w.drop(c.random.IntN(n))
		return
	}
	c.like(w)
}

// create makes a record, or changes one of those that people change.
func (c *chapter) create(w *commit) {
	const (
		of        = 1000
		liking    = 720
		posting   = liking + 120
		sharing   = posting + 80
		following = sharing + 50
	)
	switch draw := c.random.IntN(of); {
	case draw < liking:
		c.like(w)
	case draw < posting:
		c.post(w)
	case draw < sharing:
		c.react(w, reposts, &w.by.deeds().reposts)
	case draw < following:
		c.relate(w, follows)
	default:
		c.seldom(w)
	}
}

// seldom makes one of the rarer records.
func (c *chapter) seldom(w *commit) {
	switch draw := c.random.IntN(9); draw {
	case 0, 1, 2:
		c.update(w)
	case 3:
		c.relate(w, blocking)
	case 4, 5:
		c.list(w)
	case 6:
		uri, _ := w.put(posts, w.key(), c.plainPost(w))
		c.gate(w, uri)
	default:
		c.note(w)
	}
}

// update changes a record: a profile as a rule, else a list or a note.
func (c *chapter) update(w *commit) {
	if n := len(w.by.records); n > 0 {
		switch old := w.by.records[c.random.IntN(n)]; old.collection {
		case lists:
			w.put(lists, old.path[len(lists)+1:], c.newList(w))
			return
		case notes:
			w.put(notes, old.path[len(notes)+1:], c.newNote(w))
			return
		}
	}
	c.writeProfile(w)
}

func (c *chapter) like(w *commit) {
	c.react(w, likes, &w.by.deeds().likes)
}

// react likes or reposts a recent post that the account has not yet; when it has
// all of them, it posts.
func (c *chapter) react(w *commit, collection string, done *[recent]uint32) {
	drawn := c.random.IntN(recent)
	for k := range recent {
		at := (drawn + k) % recent
		if done[at] == c.serials[at] {
			continue
		}
		done[at] = c.serials[at]
		w.put(collection, w.key(), subject{Type: collection, Subject: c.liked[at], CreatedAt: c.recently(w)})
		return
	}
	c.post(w)
}

// relate follows or blocks somebody else whom the account has not yet; when it
// has everybody near, it posts.
func (c *chapter) relate(w *commit, collection string) {
	const near = 32
	drawn := c.random.IntN(len(c.cast))
	for k := range min(near, len(c.cast)) {
		whom := (drawn + k) % len(c.cast)
		if to := (deed{collection, whom}); &c.cast[whom] != w.by && !w.by.deeds().people[to] {
			w.by.deeds().people[to] = true
			w.put(collection, w.key(), relation{Type: collection, Subject: c.cast[whom].did, CreatedAt: c.recently(w)})
			return
		}
	}
	c.post(w)
}

// post makes a post that others may then like and answer.
func (c *chapter) post(w *commit) {
	uri, cid := w.put(posts, w.key(), c.newPost(w))
	if uri != "" {
		c.liked[c.posted%recent] = ref{URI: uri, CID: cid}
		c.serials[c.posted%recent]++
		c.posted++
	}
}

// list makes a list with a member.
func (c *chapter) list(w *commit) {
	uri, _ := w.put(lists, w.key(), c.newList(w))
	w.put(listItems, w.key(), listItem{Type: listItems, Subject: c.other(), List: uri, CreatedAt: c.recently(w)})
}

// note makes a record of a lexicon that no consumer knows, under a key that is
// no TID.
func (c *chapter) note(w *commit) {
	key := "note-" + strconv.Itoa(c.random.IntN(1_000_000)) + []string{"", "_a", ".b", "~c", ":d"}[c.random.IntN(5)]
	w.put(notes, key, c.newNote(w))
}

// writeProfile makes the account's profile or changes it.
func (c *chapter) writeProfile(w *commit) {
	w.put(profiles, profileKey, c.newProfile(w))
}

// target is a recent post.
func (c *chapter) target() ref { return c.liked[c.random.IntN(recent)] }

// other is somebody of the cast.
func (c *chapter) other() string { return c.cast[c.random.IntN(len(c.cast))].did }

// recently is when a record says it was made: a moment before the commit.
func (c *chapter) recently(w *commit) string {
	return stamp(w.when.Add(-time.Duration(c.random.IntN(3000)) * time.Millisecond))
}
