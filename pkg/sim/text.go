package sim

import (
	"strings"
)

var handleWords = []string{"otter", "maple", "fjord", "lantern", "pebble", "comet", "heron", "ember", "walnut", "tundra", "saffron", "juniper", "harbor", "quartz", "willow", "badger"}

// vocabulary is by language; the index goes with languages.
var vocabulary = [...][]string{
	{"the", "sea", "was", "quiet", "today", "and", "a", "small", "boat", "came", "home", "with", "bread", "tea", "rain", "on", "every", "window", "we", "talk", "about", "trains", "again", "surely", "nobody", "minds"},
	{"el", "mar", "está", "tranquilo", "hoy", "mañana", "señal", "café", "lluvia", "ventana", "camino", "corazón", "aquí", "también", "niño"},
	{"今日", "は", "静か", "な", "海", "と", "電車", "お茶", "雨", "窓", "ありがとう", "また", "明日"},
	{"heute", "regnet", "es", "über", "Straße", "schön", "Größe", "Zug", "Brot", "und", "Käse", "wieder"},
	{"o", "mar", "não", "está", "aqui", "coração", "pão", "amanhã", "você", "também"},
}

var languages = [...]string{"en", "es", "ja", "de", "pt"}

var emoji = []string{"🌊", "🚂", "☕", "🎉", "👍🏽", "🏳️‍🌈", "🦦", "❤️"}

// words is n words of a language.
func (c *chapter) words(n, language int) string {
	list := vocabulary[language]
	var b strings.Builder
	for i := range n {
		if i > 0 && languages[language] != "ja" {
			b.WriteByte(' ')
		}
		b.WriteString(list[c.random.IntN(len(list))])
	}
	return b.String()
}

// plainPost is a post of words only.
func (c *chapter) plainPost(w *commit) post {
	language := 0
	if c.random.IntN(2) == 0 {
		language = c.random.IntN(len(languages))
	}
	text := c.words(3+c.random.IntN(30), language)
	switch c.random.IntN(6) {
	case 0:
		text += " " + emoji[c.random.IntN(len(emoji))]
	case 1:
		text += "\n\n" + c.words(5, language)
	case 2:
		text = "“" + text + "” \\ \"" + c.words(2, language) + "\" <3 & more"
	}
	return post{Type: posts, Text: text, Langs: []string{languages[language]}, CreatedAt: c.recently(w)}
}

// newPost is a post of any shape.
func (c *chapter) newPost(w *commit) post {
	p := c.plainPost(w)
	if c.random.IntN(10) == 0 {
		p.Langs = nil
	}
	if c.random.IntN(12) == 0 {
		p.Tags = []string{c.words(1, 0), "søndag"}
	}
	if c.random.IntN(5) == 0 {
		c.addFacets(&p)
	}
	if c.random.IntN(100) < 45 {
		p.Reply = &reply{Root: c.target(), Parent: c.target()}
	}
	if c.random.IntN(3) == 0 {
		p.Embed = c.embed()
	}
	return p
}

// addFacets appends a mention, a link and a tag, and marks them by byte
// offsets, which is what facets count in.
func (c *chapter) addFacets(p *post) {
	who := c.cast[c.random.IntN(len(c.cast))]
	add := func(text string, feature map[string]any) {
		p.Text += " "
		start := len(p.Text)
		p.Text += text
		p.Facets = append(p.Facets, facet{Index: span{int64(start), int64(len(p.Text))}, Features: []map[string]any{feature}})
	}
	add("@"+who.handle, map[string]any{"$type": "app.bsky.richtext.facet#mention", "did": who.did})
	if c.random.IntN(2) == 0 {
		uri := "https://news.example/" + c.words(1, 0) + "?q=1&r=ü"
		add(strings.TrimPrefix(uri, "https://"), map[string]any{"$type": "app.bsky.richtext.facet#link", "uri": uri})
	}
	if c.random.IntN(2) == 0 {
		add("#søndag", map[string]any{"$type": "app.bsky.richtext.facet#tag", "tag": "søndag"})
	}
}

// embed is what a post carries along.
func (c *chapter) embed() any {
	quote := map[string]any{"$type": "app.bsky.embed.record", "record": c.target()}
	switch c.random.IntN(4) {
	case 0:
		return map[string]any{"$type": "app.bsky.embed.external", "external": map[string]any{
			"uri": "https://news.example/" + c.words(1, 0), "title": c.words(4, 0), "description": c.words(9, 1), "thumb": c.blob("image/jpeg"),
		}}
	case 1:
		return quote
	case 2:
		return map[string]any{"$type": "app.bsky.embed.recordWithMedia", "record": quote, "media": c.images()}
	}
	return c.images()
}

func (c *chapter) images() map[string]any {
	var list []any
	for range 1 + c.random.IntN(4) {
		list = append(list, map[string]any{
			"alt": c.words(c.random.IntN(6), 0), "image": c.blob([]string{"image/png", "image/jpeg", "image/webp"}[c.random.IntN(3)]),
			"aspectRatio": map[string]any{"width": 100 + c.random.IntN(2000), "height": 100 + c.random.IntN(2000)},
		})
	}
	return map[string]any{"$type": "app.bsky.embed.images", "images": list}
}
