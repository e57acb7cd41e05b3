package reader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
)

// DefaultPage is how many entries one XRANGE asks for.
const DefaultPage = 1000

// ErrNoStream says that the stream's key does not exist: nothing was ever
// stored there, or it was deleted. It carries no class; what it means depends
// on who asks.
var ErrNoStream = errors.New("there is no such stream")

// Config is what a Reader needs. Empty keys take the contract's names.
type Config struct {
	conn.Connection
	StreamKey string
	CursorKey string
	// Partitions is how many streams the keys stand for; 0 means 1. OtherCount
	// reads them also where they were written as another number.
	Partitions int
	OtherCount bool
	// Page is how many entries one exchange asks for; 0 means DefaultPage.
	Page int
}

// Reader looks at a stream, its groups and its cursor. It changes nothing,
// joins no group, and works on a replica. Its methods may be called from any
// goroutine; they take turns on one connection, except for Follow. Close it
// when done.
//
// Unlike a Writer it does not wait for a Redis that is away: a person is
// waiting. Errors are classed: fault.Unreachable, fault.Refused, fault.Data
// (a key of the wrong type), fault.Usage (URL, TLS files). When the context
// ended, the error wraps its cause instead.
//
// With partitions it reads the whole set as one stream, in the order of seqs;
// Partitions gives a Reader of each. Ids are a partition's own, and as the ends of
// a range they are places in time.
type Reader struct {
	config Config
	client *conn.Client
	parts  []*Reader // of a set; nil reads one stream
	unbind func() bool
}

// Open connects and asks Redis whether it answers, once. When ctx ends, so
// does whatever the Reader waits for then, also a Redis that hangs.
func Open(ctx context.Context, cfg Config) (*Reader, error) {
	cfg.Connection = cfg.Connection.WithDefaults()
	cfg.StreamKey = cmp.Or(cfg.StreamKey, keyspace.DefaultStream)
	cfg.CursorKey = cmp.Or(cfg.CursorKey, keyspace.DefaultCursor)
	if cfg.Page <= 0 {
		cfg.Page = DefaultPage
	}
	client, err := conn.Dial(cfg.Connection)
	if err != nil {
		return nil, err
	}
	r := &Reader{config: cfg, client: client, unbind: context.AfterFunc(ctx, client.End)}
	once, cancel := cfg.Within(ctx)
	defer cancel()
	if err := client.Ping(once).Err(); err != nil {
		_ = r.Close()
		return nil, cfg.Classed(ctx, "connect to Redis", err)
	}
	if err := r.divide(ctx); err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}

// of reads another stream than this Reader's, one alone, over the same connection.
func (r *Reader) of(key string) *Reader {
	other := &Reader{config: r.config, client: r.client}
	other.config.StreamKey, other.config.Partitions = key, 1
	return other
}

// Lines are the newest n entries of another stream, newest first, over the same
// connection, with values longer than 64 KiB cut.
func (r *Reader) Lines(ctx context.Context, key string, n int) ([]Stored, error) {
	return r.of(key).heads(ctx, "xrevrange", "+", "-", n)
}

// Client is the connection that this Reader uses, for who changes what it reads.
func (r *Reader) Client() *conn.Client { return r.client }

// Connection says where that leads.
func (r *Reader) Connection() *conn.Connection { return &r.config.Connection }

// Close closes the connection.
func (r *Reader) Close() error {
	r.unbind()
	return r.client.Close()
}

// StreamKey is the key this Reader reads.
func (r *Reader) StreamKey() string { return r.setName(r.config.StreamKey) }

// CursorKey is the cursor's key.
func (r *Reader) CursorKey() string { return r.setName(r.config.CursorKey) }

// Bounds are the ends of a stream. First and Last are zero when it is empty. Values
// longer than 64 KiB are cut: an entry may be large, and this is asked often.
type Bounds struct {
	First, Last Stored
	Length      int64
}

// Bounds reads the ends and the length in one exchange. ErrNoStream when the
// key does not exist; an empty stream that exists has Length 0.
func (r *Reader) Bounds(ctx context.Context) (b Bounds, err error) {
	if r.parts != nil {
		return r.setBounds(ctx)
	}
	once, cancel := r.config.Within(ctx)
	defer cancel()
	pipe := r.client.Pipeline()
	length := pipe.XLen(once, r.config.StreamKey)
	first, last := raw{heads: true}, raw{heads: true}
	_ = pipe.Process(once, redis.NewRawWriteToCmd(once, &first, "xrange", r.config.StreamKey, "-", "+", "count", 1))
	_ = pipe.Process(once, redis.NewRawWriteToCmd(once, &last, "xrevrange", r.config.StreamKey, "+", "-", "count", 1))
	_, err = pipe.Exec(once)
	if err == nil && length.Val() == 0 {
		err = r.exists(once)
	}
	if errors.Is(err, ErrNoStream) {
		return b, fmt.Errorf("read stream %s: %w", r.config.StreamKey, ErrNoStream)
	}
	if err == nil {
		b.Length = length.Val()
		b.First, err = first.only()
	}
	if err == nil {
		b.Last, err = last.only()
	}
	if err != nil {
		return b, r.config.Classed(ctx, "read stream "+r.config.StreamKey, err)
	}
	return b, nil
}

// exists tells an empty stream from none, with a command that an account made
// for fhctl may run.
func (r *Reader) exists(ctx context.Context) error {
	_, err := r.info(ctx, "groups", r.config.StreamKey)
	if err != nil && strings.Contains(err.Error(), "no such key") {
		return ErrNoStream
	}
	return err
}

func (r *raw) only() (Stored, error) {
	entries, err := r.entries(nil)
	if err != nil || len(entries) == 0 {
		return Stored{}, err
	}
	return entries[0], nil
}

// replies keeps the memory of replies: a page is half a megabyte.
var replies = sync.Pool{New: func() any { return &raw{} }}

// pageBytes is about how much of a stream one page holds at most. An entry that is
// larger is a page of its own.
const pageBytes = 2 << 20

// page reads up to count entries between two ids, as many as a page holds; command
// is xrange or xrevrange. more is false when there are no others.
func (r *Reader) page(ctx context.Context, command string, from, to ID, count int) (entries []Stored, more bool, err error) {
	if count == 1 {
		entries, err = r.ask(ctx, raw{}, command, from, to, 1)
		return entries, len(entries) == 1, err
	}
	entries, err = r.ask(ctx, raw{most: max(pageBytes/max(r.config.Partitions, 1), longBytes)}, command, from, to, count)
	switch {
	case errors.Is(err, errOverfull) && len(entries) > 0:
		return entries, true, nil
	case errors.Is(err, errOverfull):
		count = 1
		entries, err = r.ask(ctx, raw{}, command, from, to, count)
	}
	return entries, len(entries) >= count, err
}

// heads reads count entries, or all there are, with values longer than 64 KiB cut.
// What is too large for one reply is read in pieces.
func (r *Reader) heads(ctx context.Context, command string, from, to ID, count int) (all []Stored, err error) {
	for piece := count; len(all) < count; {
		ask := min(piece, count-len(all))
		some, err := r.ask(ctx, raw{heads: true}, command, from, to, ask)
		if conn.TooLarge(err) && ask > 1 {
			piece = max(1, ask/8)
			continue
		}
		if err != nil {
			return nil, err
		}
		if all = append(all, some...); len(some) < ask {
			break
		}
		last, ok := some[len(some)-1].ID, true
		if from = last.Next(); command == "xrevrange" {
			from, ok = last.Previous()
		}
		if !ok {
			break
		}
	}
	return all, nil
}

// ask reads entries in one exchange. With errOverfull come those that were whole.
func (r *Reader) ask(ctx context.Context, how raw, command string, from, to ID, count int) ([]Stored, error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	reply, _ := replies.Get().(*raw)
	defer replies.Put(reply)
	reply.reset()
	reply.heads, reply.most = how.heads, how.most
	cmd := redis.NewRawWriteToCmd(once, reply, command, r.config.StreamKey, string(from), string(to), "count", count)
	err := r.client.Process(once, cmd)
	if errors.Is(err, errOverfull) {
		return reply.whole(), errOverfull
	}
	var entries []Stored
	if err == nil {
		entries, err = reply.entries(make([]Stored, 0, min(count, DefaultPage)))
	}
	reply.long = nil // they are the entries' now
	if err != nil {
		return nil, r.config.Classed(ctx, "read stream "+r.config.StreamKey, err)
	}
	return entries, nil
}

// Range yields the entries from one id to another, both included; "" leaves an
// end open. A missing stream yields nothing. An error ends it.
//
// The next page is under way while the caller works on this one, so reading
// and working take as long as the slower of the two.
func (r *Reader) Range(ctx context.Context, from, to ID) iter.Seq2[Stored, error] {
	if r.parts != nil {
		return r.setRange(ctx, func(int) (ID, ID) { return from, to })
	}
	return func(yield func(Stored, error) bool) {
		pages, enough := make(chan pageOf), make(chan struct{})
		go r.readAhead(ctx, ID(cmp.Or(string(from), "-")), ID(cmp.Or(string(to), "+")), pages, enough)
		defer func() {
			close(enough)
			for range pages { // until the reader has gone
			}
		}()
		for p := range pages {
			for _, s := range p.entries {
				if !yield(s, nil) {
					return
				}
			}
			if p.err != nil {
				yield(Stored{}, p.err)
				return
			}
		}
	}
}

type pageOf struct {
	entries []Stored
	err     error
}

// large reports whether the page is an entry that fills more than one.
func (p pageOf) large() bool {
	if len(p.entries) != 1 {
		return false
	}
	size := 0
	for _, value := range p.entries[0].Fields {
		size += len(value)
	}
	return size > pageBytes
}

// readAhead sends pages until the range ends, one fails, or the receiver has
// had enough. It closes pages. It does not watch ctx itself: a range that was
// cut short must end with an error. A page asks for twice as many entries as the one
// before held, and behind a large entry for one, so that the server need not gather
// what is then left unread; and while the receiver works on a large entry, nothing is
// read ahead.
func (r *Reader) readAhead(ctx context.Context, from, to ID, pages chan<- pageOf, enough <-chan struct{}) {
	defer close(pages)
	send := func(p pageOf) bool {
		select {
		case pages <- p:
			return true
		case <-enough:
			return false
		}
	}
	for count, more := min(firstPage, r.config.Page), true; more; {
		var p pageOf
		p.entries, more, p.err = r.page(ctx, "xrange", from, to, count)
		large := p.large()
		if !send(p) || p.err != nil || len(p.entries) == 0 {
			return
		}
		from = p.entries[len(p.entries)-1].ID.Next()
		count = min(2*len(p.entries), r.config.Page)
		if large {
			count = 1 // they seldom come alone
		}
		p.entries = nil
		if large && !send(pageOf{}) { // taken once the receiver is done with the other
			return
		}
	}
}

// firstPage is how many entries the first page asks for.
const firstPage = 16

// Last is the newest n entries, oldest first; fewer when there are not as many.
func (r *Reader) Last(ctx context.Context, n int) ([]Stored, error) { return r.newest(ctx, "+", n) }

// LastHeads is the newest n entries, oldest first, with values longer than 64 KiB cut:
// for who wants ids and seqs of entries that may be large.
func (r *Reader) LastHeads(ctx context.Context, n int) ([]Stored, error) {
	return r.newestHeads(ctx, "+", n)
}

// HeadsBefore is the newest n entries below an id, as LastHeads gives them.
func (r *Reader) HeadsBefore(ctx context.Context, id ID, n int) ([]Stored, error) {
	to, ok := id.Previous()
	if !ok {
		return nil, nil
	}
	return r.newestHeads(ctx, to, n)
}

func (r *Reader) newestHeads(ctx context.Context, to ID, n int) (heads []Stored, err error) {
	if r.parts != nil {
		return r.setNewest(n, func(part *Reader) ([]Stored, error) { return part.newestHeads(ctx, to, n) })
	}
	for len(heads) < n {
		ask := min(n-len(heads), r.config.Page)
		some, err := r.heads(ctx, "xrevrange", to, "-", ask)
		if err != nil {
			return nil, err
		}
		heads = append(heads, some...)
		if len(some) < ask {
			break
		}
		before, ok := some[len(some)-1].ID.Previous()
		if !ok {
			break
		}
		to = before
	}
	slices.Reverse(heads)
	return heads, nil
}

// Latest yields what Last gives, without holding all of it at once: large entries
// would not fit. Of a set it does.
func (r *Reader) Latest(ctx context.Context, n int) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		entries, from, err := []Stored(nil), ID(""), error(nil)
		if r.parts != nil {
			entries, err = r.Last(ctx, n)
		} else {
			from, err = r.nthNewest(ctx, n)
		}
		if err != nil {
			yield(Stored{}, err)
			return
		}
		for _, s := range entries {
			if !yield(s, nil) {
				return
			}
		}
		if from == "" {
			return
		}
		for s, err := range r.Range(ctx, from, "") {
			if n--; !yield(s, err) || n <= 0 {
				return
			}
		}
	}
}

// nthNewest is the id of the n-th entry from the end, or of the first where there
// are fewer; "" without any.
func (r *Reader) nthNewest(ctx context.Context, n int) (id ID, err error) {
	for to, ok := ID("+"), true; ok && n > 0; {
		ask := min(n, r.config.Page)
		entries, err := r.heads(ctx, "xrevrange", to, "-", ask)
		if err != nil {
			return "", err
		}
		if len(entries) > 0 {
			id = entries[len(entries)-1].ID
			to, ok = id.Previous()
		}
		if n -= ask; len(entries) < ask {
			break
		}
	}
	return id, nil
}

func (r *Reader) newest(ctx context.Context, to ID, n int) ([]Stored, error) {
	if r.parts != nil {
		return r.setNewest(n, func(part *Reader) ([]Stored, error) { return part.newest(ctx, to, n) })
	}
	var newest []Stored
	for len(newest) < n {
		entries, more, err := r.page(ctx, "xrevrange", to, "-", min(n-len(newest), r.config.Page))
		if err != nil {
			return nil, err
		}
		newest = append(newest, entries...)
		if !more {
			break
		}
		before, ok := entries[len(entries)-1].ID.Previous()
		if !ok {
			break
		}
		to = before
	}
	slices.Reverse(newest)
	return newest, nil
}

// followBlock is how long one XREAD waits for news: less than any sensible
// idle limit between here and the server.
const followBlock = 2 * time.Second

// Follow yields the entries behind an id as they come, without joining a
// group; "" begins with the oldest, "$" with what is added from now on. The
// stream need not exist yet. It has a connection of its own.
//
// Faults that pass are logged once and waited out; entries added meanwhile
// follow, unless they were trimmed. It ends with ctx, then yielding nothing
// more, and with an error that does not pass.
func (r *Reader) Follow(ctx context.Context, after ID) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		client, err := conn.Dial(r.config.Connection)
		if err != nil {
			yield(Stored{}, err)
			return
		}
		// A read that blocks ends by closing its connection.
		stop := context.AfterFunc(ctx, func() { _ = client.Close() })
		defer func() {
			if stop() {
				_ = client.Close()
			}
		}()
		f := follower{Reader: r, client: client, after: ID(cmp.Or(string(after), "0-0")), count: r.config.Page}
		if err := f.run(ctx, func(s Stored) bool { return yield(s, nil) }); err != nil && ctx.Err() == nil {
			yield(Stored{}, err)
		}
	}
}

// follower is one call of Follow.
type follower struct {
	*Reader
	client *conn.Client
	after  ID
	count  int // of the next read; 0 is the first
}

func (f *follower) run(ctx context.Context, yield func(Stored) bool) error {
	if err := f.pin(ctx); err != nil {
		return err
	}
	o := conn.Outage{Connection: &f.config.Connection, Doing: "follow stream"}
	for ctx.Err() == nil {
		entries, err := f.wait(ctx)
		cause := ""
		if err != nil {
			cause = conn.CauseOf(err)
		}
		switch {
		case err != nil && fault.Ended(ctx) != nil:
			return nil // the connection was closed to end the wait
		case err != nil && cause == "":
			return fmt.Errorf("follow stream %s: %w", f.config.StreamKey, f.config.Final(err))
		case err != nil:
			if err := o.Failed(ctx, err, cause); err != nil {
				return err
			}
			continue
		}
		o.Over()
		for _, s := range entries {
			if !yield(s) {
				return nil
			}
			f.after = s.ID
		}
	}
	return nil
}

// pin turns "$" into the id it stands for now: asked again after each wait, it
// would pass over what came in between.
func (f *follower) pin(ctx context.Context) error {
	if f.after != "$" {
		return nil
	}
	last, err := f.heads(ctx, "xrevrange", "+", "-", 1)
	if err != nil {
		return err
	}
	f.after = "0-0"
	if len(last) > 0 {
		f.after = last[0].ID
	}
	return nil
}

// wait reads what lies behind the last entry, waiting for it.
func (f *follower) wait(ctx context.Context) ([]Stored, error) {
	block := min(followBlock, f.config.CommandTimeout/2)
	once, cancel := f.config.Within(ctx)
	defer cancel()
	if f.count == 0 {
		f.count = firstPage
	}
	how := raw{most: pageBytes}
	if f.count == 1 {
		how.most = 0
	}
	entries, err := f.read(once, how, min(f.count, f.config.Page), block)
	if !errors.Is(err, errOverfull) {
		f.count = min(2*f.count, f.config.Page)
		return entries, err
	}
	f.count = 2 * len(entries)
	if len(entries) > 0 {
		return entries, nil
	}
	f.count = 1
	return f.read(once, raw{}, 1, block)
}

// read is one XREAD.
func (f *follower) read(ctx context.Context, how raw, count int, block time.Duration) ([]Stored, error) {
	r := &how
	cmd := redis.NewRawWriteToCmd(ctx, r, "xread", "count", count, "block", block.Milliseconds(), "streams", f.config.StreamKey, string(f.after))
	cmd.SetFirstKeyPos(6)
	err := f.client.Process(ctx, cmd)
	if err != nil && !errors.Is(err, errOverfull) {
		if errors.Is(err, redis.Nil) {
			err = nil
		}
		return nil, err
	}
	r.left = err != nil
	n, bad := r.header('*')
	if bad != nil || n < 1 {
		return nil, bad
	}
	if _, bad = r.header('*'); bad == nil {
		_, bad = r.bulk()
	}
	if err != nil { // left before its end
		return r.whole(), err
	}
	if bad != nil {
		return nil, bad
	}
	return r.entries(nil)
}
