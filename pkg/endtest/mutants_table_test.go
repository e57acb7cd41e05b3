package endtest

const (
	appendLua  = "pkg/redisstream/script/lua/append.lua"
	commonLua  = "pkg/redisstream/script/lua/common.lua"
	restoreLua = "pkg/redisstream/script/lua/restore.lua"
	rebaseLua  = "pkg/redisstream/script/lua/rebase.lua"
	leaseLua   = "pkg/redisstream/script/lua/lease.lua"
	retainLua  = "pkg/redisstream/script/lua/retention.lua"
	commitGo   = "pkg/redisstream/commit.go"
	resumeGo   = "pkg/redisstream/resume.go"
	missingGo  = "pkg/redisstream/missing.go"
	startGo    = "pkg/redisstream/start.go"
	callGo     = "pkg/redisstream/call.go"
	streamGo   = "pkg/redisstream/config.go"
	leaseGo    = "pkg/redisstream/lease.go"
	stateGo    = "pkg/redisstream/lease/lease.go"
	tableGo    = "pkg/redisstream/lease/table.go"
	othersGo   = "pkg/redisstream/strangers/judge.go"
	strangeGo  = "pkg/redisstream/strangers.go"
	openGo     = "pkg/redisstream/open.go"
	faultsGo   = "pkg/redisstream/conn/faults.go"
	sequenceGo = "pkg/pipeline/sequence.go"
	judgeGo    = "pkg/pipeline/judge.go"
	strayGo    = "pkg/pipeline/follow/judge.go"
	eventsGo   = "pkg/pipeline/follow/loop.go"
	numberGo   = "pkg/pipeline/follow/number.go"
	waitingGo  = "pkg/pipeline/follow/waiting.go"
	rememberGo = "pkg/pipeline/follow/remembered.go"
	replayRun  = "pkg/replay/run.go"
	decodeGo   = "pkg/pipeline/decode.go"
	readGo     = "pkg/pipeline/read.go"
	writeGo    = "pkg/pipeline/write.go"
	pipelineGo = "pkg/pipeline/pipeline.go"
	holdGo     = "pkg/pipeline/hold.go"
	standbyGo  = "pkg/pipeline/standby.go"
	leadGo     = "pkg/pipeline/lead.go"
	revsGo     = "pkg/pipeline/revs.go"
	pipeLeapGo = "pkg/pipeline/leap.go"
	leapGo     = "pkg/event/leap.go"
	leapSpill  = "pkg/capture/spill/leap.go"
	seamGo     = "pkg/event/seam.go"
	timeGo     = "pkg/event/time.go"
	trackerGo  = "pkg/event/tracker.go"
	openingGo  = "pkg/pipeline/opening.go"
	gapGo      = "pkg/pipeline/gap.go"
	firstGo    = "pkg/event/opening.go"
	spillGapGo = "pkg/capture/spill/gap.go"
	againGo    = "pkg/redisstream/again.go"
	batchGo    = "pkg/event/batch.go"
	filterGo   = "pkg/filter/filter.go"
	sourceGo   = "pkg/relay/source.go"
	connGo     = "pkg/relay/connection.go"
	backoffGo  = "pkg/relay/backoff.go"
	wireGo     = "pkg/relay/wire.go"
	dialGo     = "pkg/relay/dial.go"
	livenessGo = "pkg/relay/liveness.go"
	proxyGo    = "pkg/relay/proxy.go"
	opsGo      = "pkg/frame/ops.go"
	partsGo    = "pkg/redisstream/partitions/set.go"
	shareGo    = "pkg/redisstream/partitions/commit.go"
	alignGo    = "pkg/redisstream/partitions/resume.go"
	exchangeGo = "pkg/redisstream/conn/exchange.go"
	followGo   = "pkg/redisstream/resp/follower.go"
	socketsGo  = "pkg/redisstream/conn/sockets.go"
	wholeGo    = "pkg/redisstream/conn/whole.go"
	tlsGo      = "pkg/tlsfiles/tlsfiles.go"
	spillDisk  = "pkg/capture/spill/disk.go"
	spillFile  = "pkg/capture/spill/segment.go"
	spillRead  = "pkg/capture/spill/reader.go"
	sinkMemory = "pkg/endtest/sinktest/memory.go"
	blockWalk  = "pkg/capture/block/walk.go"
	spillFlow  = "pkg/capture/spill/flow.go"
	spillPump  = "pkg/capture/spill/pump.go"
	spillDir   = "pkg/capture/spill/folder.go"
	blockPart  = "pkg/capture/block/part.go"
	blockPack  = "pkg/capture/block/pack.go"
	captureGo  = "pkg/capture/blocks.go"
	resumeFile = "pkg/capture/resume.go"
)

// mutants are the planted bugs, by what they sit in.
func mutants() (all []mutant) {
	for _, part := range [][]mutant{swellMutants, scriptMutants, leaseMutants, strangerMutants, retentionMutants, partitionMutants, peerMutants, writerMutants, pipelineMutants, standbyMutants, relayMutants, codecMutants, spillMutants, captureMutants} {
		all = append(all, part...)
	}
	return all
}

func in(tests ...string) []string { return tests }

var scriptMutants = []mutant{
	{appendLua, "if above(seq, max) then", "if true then", "repeats are appended again", in("sim", "append", "sinktest")},
	{appendLua, "    max = seq\n", "    max = max\n", "the running maximum stands still", in("append", "sim")},
	{appendLua, "if not trouble and above(ARGV[4], max) then max = ARGV[4] end", "if above(ARGV[4], max) then max = ARGV[4] end", "the watermark covers what failed", in("sim", "append")},
	{appendLua, "if not trouble and above(ARGV[4], max) then max = ARGV[4] end", "", "the watermark never moves", in("sim", "append")},
	{appendLua, "if not trouble and above(ARGV[4], max) then max = ARGV[4] end", "if not trouble then max = ARGV[4] end", "a late batch moves the cursor back", in("append", "sim")},
	{appendLua, "    if trouble then break end\n", "", "events after a failed append are appended", in("sim", "append")},
	{appendLua, "local saved = redis.pcall('SET', cursorKey, max)", "local saved = 'OK'", "the cursor stays behind the stream", in("sim", "append")},
	{appendLua, "  return reply('PARTIAL', max, trouble)\n", "", "a batch stored in part counts as stored", in("sim", "append")},
	{appendLua, "if cursor and above(expected, cursor) then return reply('BEHIND', cursor) end", "", "a rollback leaves a hole", in("sim", "append")},
	{appendLua, "if cursor and above(expected, cursor) then", "if cursor and above(cursor, expected) then", "behind and ahead are confused", in("sim", "append")},
	{appendLua, "if cursor and epoch ~= ARGV[11] then", "if false then", "an operator's move is overrun", in("sim", "append")},
	{appendLua, "if cursor and expected == '' then return reply('CONFLICT', cursor, 'a cursor appeared') end", "", "starting overwrites a cursor", in("append", "sim")},
	{appendLua, "if not cursor and expected ~= '' then return reply('MISSING') end", "", "a vanished cursor is not noticed", in("sim", "append")},
	{appendLua, "if why then return reply('MISMATCH', cursor or '', why) end", "", "another relay's cursor is taken", in("sim", "append")},
	{appendLua, "if not number then return reply('BADCURSOR', '', cursor) end", "if not number then number = '0' end", "a damaged cursor counts as 0", in("sim", "append")},
	{appendLua, "  cursor = number\n", "", "a cursor with leading zeros compares as text", in("append", "store")},
	{appendLua, "if jump and cursor ~= expected then", "if false then", "a jump ignores that the cursor moved", in("append", "store")},
	{appendLua, "if jump then epoch = string.format('%.0f', tonumber(epoch) + 1) end", "", "others do not notice a jump", in("append", "store")},
	{appendLua, "if jump or not max then max = ARGV[3] end", "if not max then max = ARGV[3] end", "a jump stays where it was", in("append", "store")},
	{appendLua, "proof = redis.pcall('SET', cursorKey, max)", "proof = 'OK'", "nothing proves the cursor before appending", in("append", "store")},
	{commonLua, "if #a ~= #b then return #a > #b end", "", "10 is not above 9", in("append", "sim")},
	{commonLua, "  return a > b\n", "  return a >= b\n", "a seq is above itself", in("sim", "append")},
	{commonLua, "if cursor and me.adopt ~= '1' then return 'absent' end", "", "any relay adopts the bridge's cursor", in("sim", "append")},
	{commonLua, "if tostring(side.filter or '') ~= me.filter then", "if false then", "other filters continue the cursor", in("append", "store")},
	{commonLua, "if partitions ~= me.partitions then", "if false then", "another partition count continues the cursor", in("append", "store")},
	{restoreLua, "  source, to = 'entry', newest\n", "  source = 'entry'\n", "a vanished cursor forgets the newest entry", in("sim", "append")},
	{restoreLua, "local set = redis.pcall('SET', KEYS[2], to)", "local set = 'OK'", "a vanished cursor is not restored", in("sim", "append")},
	{restoreLua, "'XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)", "'XRANGE', KEYS[1], '-', '+', 'COUNT', 1)", "a vanished cursor is restored from the oldest entry", in("sim", "append")},
	{rebaseLua, "if cursor ~= ARGV[1] or epoch ~= ARGV[7] then", "if false then", "a rebase overruns another writer", in("append", "store")},
	{rebaseLua, "local set = redis.pcall('SET', KEYS[2], ARGV[2])", "local set = 'OK'", "a rebase moves nothing", in("append", "store")},
	{rebaseLua, "if cursor == ARGV[2] and epoch == after and ARGV[9] ~= 'kept' then", "if cursor == ARGV[2] and epoch == after then", "a set notices for ever that a stream vanished", in("partitions")},
}

var leaseMutants = []mutant{
	{commonLua, "if not lease or lease == '' then return nil end", "if true then return nil end", "everybody leads", in("lease")},
	{commonLua, "(beat + 1) % 1000000000), 'PX', ms)", "(beat + 1) % 1000000000))", "a lease never ends", in("lease", "sim")},
	{appendLua, "if leader then return reply('LED', cursor or '', leader) end", "", "one that does not lead appends", in("lease")},
	{appendLua, "proof = lead(KEYS[4], ARGV[13], ARGV[14])", "proof = 'OK'", "storing does not renew the lease", in("lease")},
	{leaseLua, "if leader then return {'LED', cursor or '', epoch, leader} end", "", "asking takes the lead away", in("lease")},
	{leaseLua, "  err = remove(KEYS[4])\n", "", "a lease is not given back", in("lease")},
	{commonLua, "lease == dead or (id or lease) == me then", "(id or lease) == me then", "a dead leader of this machine is waited for", in("lease")},
	{commonLua, "beat = tonumber(n) or 0", "beat = 0", "renewals are not counted, so that a living leader is taken for dead", in("lease")},
	{stateGo, "return counted && l.now().Sub(l.seenSince) > FrozenAfter", "return counted && l.now().Sub(l.seenSince) < 0", "a lease lasts as long as a wrong clock says", in("lease")},
	{leaseGo, "	case !m.Present:\n		return lease.GivenNoCursor", "	case false:\n		return lease.GivenNoCursor", "who takes over does not miss the cursor", in("lease", "sim")},
	{leaseGo, "(w.lease.State() == lease.Leading || !w.wentOver(ctx, m)):", "w.lease.State() == lease.Leading:", "who takes over does not notice a rollback", in("lease", "sim")},
	{tableGo, "GivenLower: {Leading, GoBack},\n		GivenEarlier: {Leading, GoBack}", "GivenLower: {Leading, Nothing},\n		GivenEarlier: {Leading, Nothing}", "a quiet leader does not notice a rollback", in("lease", "sim")},
	{tableGo, "Led: {Following, StandBy}, LedLower", "Led: {Leading, StandBy}, LedLower", "a leader that lost the lead goes on", in("lease", "sim")},
}

var strangerMutants = []mutant{
	{commonLua, "return cursor and (numberIn(side, 'upto') or", "return cursor and (nil or", "a stranger's cursor is followed", in("strangers", "sim")},
	{appendLua, "(found ~= cursor or side == nil or", "(side == nil or", "a stranger's move is not told", in("strangers")},
	{appendLua, "or beyond and above(beyond, cursor)) then", ") then", "a take-over that crashed repeats what the bridge had stored", in("strangers")},
	{appendLua, "  cursor = expected -- adopting", "  cursor = cursor -- adopting", "a bridge that goes on while it is taken over hides what it left out", in("strangers")},
	{appendLua, "  newSide = string.gsub(newSide, '\"upto\":%d+', '\"upto\":' .. max, 1)\n", "", "a batch stored in part counts as left at its end", in("strangers", "sim")},
	{commonLua, "  return side .. ',\"othersFrom\":\"' .. id .. '\"'\n", "  return side .. ',\"othersFrom\":\"0-0\"'\n", "after an operator's move our own entries count as others'", in("sim", "strangers")},
	{othersGo, "				o.verdicts[e.seq] = Present\n", "", "what a bridge had stored is stored again", in("strangers")},
	{othersGo, "latest[repo] > seq &&", "latest[repo] < seq &&", "what a bridge left out comes behind later events", in("strangers")},
	{othersGo, "	if o.otherRelay || !trusted && !o.sameRelay {", "	if false {", "another relay's numbers decide what is lost", in("strangers")},
	{"pkg/redisstream/strangers/watch.go", "	if to <= cursor {", "	if true {", "a take-over that crashed is forgotten", in("strangers")},
	{strangeGo, "	return !there, err\n}\n\n// yield", "	return there, err\n}\n\n// yield", "a set-back is taken for a rollback", in("strangers", "sim")},
	{openGo, "		seq = side.Own //", "		_ = side.Own //", "who is held follows a stranger", in("strangers")},
}

var retentionMutants = []mutant{
	{retainLua, "if am ~= bm then return above(bm, am) end", "", "ids are ordered by their second number", in("retention")},
	{retainLua, "if not failed(rows) and rows[1] and before(rows[1][1], g.need) then g.need = rows[1][1] end", "", "pending entries are not needed", in("retention")},
	{retainLua, "if unread then loss.unread = loss.unread + 1 end", "", "unread losses are not counted", in("retention")},
	{retainLua, "if set[row[1]] then loss.pending = loss.pending + 1 end", "", "pending losses are not counted", in("retention")},
	{retainLua, "if excess <= 0 or not policy.block then return true end", "if true then return true end", "block mode lets the stream grow", in("retention")},
	{retainLua, "if g.idle then lapsed = policy.timeout > 0 and g.idle > policy.timeout end", "if g.idle then lapsed = true end", "a reader that still reads lapses", in("retention")},
	{retainLua, "if not bound or before(g.need, bound) then bound = g.need end", "bound = g.need", "the slowest reader does not bound the trim", in("retention")},
}

var partitionMutants = []mutant{
	{alignGo, "		if stands[i].Cursor < stands[lowest].Cursor {\n			lowest = i", "		if stands[i].Cursor > stands[lowest].Cursor {\n			lowest = i", "reading begins at the highest cursor", in("partitions")},
	{alignGo, "if st := &stands[i]; st.Present && (!found || st.Cursor < lowest) {", "if st := &stands[i]; st.Present && (!found || st.Cursor > lowest) {", "a partition without cursor is put at the highest", in("partitions")},
	{alignGo, "		if !alone && st.Epoch() == first.Epoch() {", "		if true || alone || first == nil {", "cursors that were moved one by one are accepted", in("partitions")},
	{alignGo, "		if err := p.Rebase(ctx, to); err != nil {\n			return fmt.Errorf(\"partition %d: %w\", i, err)\n		}\n		p.from = to", "		if err := s.parts[0].Rebase(ctx, to); err != nil {\n			return fmt.Errorf(\"partition %d: %w\", i, err)\n		}\n		p.from = to", "only the first partition is moved", in("partitions")},
	{shareGo, "	c.Upto = last.Upto\n", "	c.Upto = max(c.Upto, p.from)\n", "quiet partitions do not move", in("partitions")},
	{shareGo, "		if i == 0 || p.from < reached {", "		if i == 0 || p.from > reached {", "a batch counts as stored when one partition has it", in("partitions")},
	{shareGo, "		return s.open(ctx, b)\n", "		s.opened, s.at = true, Base(b)\n		return nil\n", "a crash at a cold start leaves partitions without cursor", in("partitions")},
	{alignGo, "return &event.Moved{To: event.Behind(s.at), Alarm: because.Alarm", "return &event.Moved{To: event.Position{}, Alarm: because.Alarm", "after one partition's rollback reading goes on live", in("partitions")},
	{partsGo, "		if i == 0 || seq < lowest {", "		if i == 0 || seq > lowest {", "a held run polls the highest cursor", in("partitions")},
	{partsGo, "		s.down[i] = !e.Up\n", "		s.down[i] = false\n", "the set counts as up while a partition is away", in("partitions")},
	{alignGo, "	s.remember(ctx)\n", "", "a set that has just started forgets what no group has acknowledged", in("partitions")},
}

var peerMutants = []mutant{
	{followGo, "		cost = n * elementCost\n", "", "an array is allocated as it declares", in("resp", "peer")},
	{followGo, "		n = 2*n + 1\n", "		n = 2 * n\n", "attributes follow one another without end", in("resp")},
	{followGo, "	if f.line > longestLine {", "	if f.line > 1<<30 {", "an error without end is read", in("resp", "peer")},
	{followGo, "	if len(f.open) == deepest {", "	if len(f.open) == 1<<30 {", "nesting is followed without end", in("resp", "peer")},
	{followGo, "	if len(f.open) == 0 {\n		f.spent, f.said", "	if true {\n		f.spent, f.said", "the bound is one of pieces, not of a reply", in("resp", "peer")},
	{socketsGo, "			if n = passed; n > 0 {\n				return n, nil\n			}\n			return 0, bad", "			return n, nil", "what is refused is passed on", in("peer")},
	{socketsGo, "	case !c.greeted && c.replies.Said() != \"\":", "	case false:", "last words are lost", in("peer")},
	{wholeGo, "		return string(items[0].text) != \"+switch-master\" || ", "		return true || ", "a Sentinel's message ends the process", in("peer")},
	{wholeGo, "	return len(known) <= clusterNodes", "	return true", "a cluster makes a client for each of any number of nodes", in("peer")},
	{tlsGo, "	s.pair.again(s.readPair, s.report)\n", "", "a renewed client certificate is not used", in("tlsfiles", "peer")},
	{tlsGo, "		return fmt.Errorf(\"read authorities %s: it ends within a certificate\", s.files.CA)", "		_ = 0", "half a bundle of authorities is used", in("tlsfiles")},
}

var writerMutants = []mutant{
	{commitGo, "at = continuation{expected: b.Upto.String(), epoch: at.epoch}", "at = continuation{expected: at.expected, epoch: at.epoch}", "batches behind one another do not chain", in("sim", "append")},
	{commitGo, "if at.expected == \"\" || at.jump || c.severed.alone {", "if c.severed.alone {", "a start is sent together with what builds on it", in("append", "sim")},
	{commitGo, "if r.Cursor == w.acked && c.left[0].After == event.AfterSeq(w.acked) {", "if true {", "a rollback is answered by sending the same again", in("sim", "append")},
	{commitGo, "c.severed, c.refusals = c.left[1:], 0", "c.severed, c.refusals = c.left[min(2, len(c.left)):], 0", "a batch is skipped", in("sim", "append")},
	{commitGo, "if c.partial++; c.partial == 1 {", "if c.partial++; c.partial == 0 {", "a batch stored in part is given up", in("sim", "append")},
	{commitGo, "	return &event.Moved{To: event.Behind(cursor), Alarm: alarm, Detail: detail}", "	return &event.Moved{To: event.Position{}, Alarm: alarm, Detail: detail}", "after a rollback reading goes on live", in("sim", "append")},
	{commitGo, "w.acked, w.epoch, w.ahead, w.hadEntries = cursor, epoch, ahead{}, false", "w.epoch, w.ahead, w.hadEntries = epoch, ahead{}, false", "the acknowledged cursor outlives a rollback", in("sim", "append")},
	{commitGo, "	if !c.unsure || w.at.expected", "	if w.at.expected", "another's start is taken for one's own", in("append", "store")},
	{commitGo, "		c.full = true\n", "", "a script that Redis forgot is not sent again", in("sim", "append")},
	{commitGo, "return time.Since(a.since) >= aheadFor", "return false", "a cursor set ahead is passed over in silence", in("append", "store")},
	{resumeGo, "case stored.Relay != id.Relay:", "case false:", "resuming takes another relay's cursor", in("sim", "append")},
	{resumeGo, "	case from.String() == appliedBy(stored):\n", "	case false:\n", "--from is applied at each restart", in("sim", "append")},
	{"pkg/event/seq.go", "	return AfterSeq(cursor)\n", "	return AfterSeq(cursor + 1)\n", "resuming skips an event", in("sim", "append")},
	{"pkg/redisstream/floor/groups.go", "lowest = min(lowest, seq-1)", "lowest = min(lowest, seq)", "the oldest unacknowledged event is not read again", in("append", "store")},
	{restoreLua, "if not to or above(to, floor) then to = floor end", "if not to then to = floor end", "after FLUSHALL unacknowledged events are not read again", in("append", "store")},
	{restoreLua, "if kept and (not floor or above(floor, kept)) then floor = kept end", "", "who starts beside an empty stream does not know what was acknowledged", in("start")},
	{restoreLua, "    to = left\n", "", "a start without cursor reads again what yielded no entry", in("start")},
	{missingGo, "		told := w.tellGone(once, w.floor.Removed(once, w.groups, seq, w.acked, event.Seq(w.stored)))\n", "		told := false\n", "unread entries that something else trims are lost without a word", in("start")},
	{"pkg/redisstream/floor/lost.go", "	if f.Deleted != \"\" && !told {\n", "	if false {\n", "unread entries that somebody deletes from inside the stream are lost without a word", in("unread")},
	{"pkg/redisstream/floor/lost.go", "		if reader.ID(g.LastDeliveredID).Compare(id) < 0 {\n", "		if true {\n", "what every group had read is said to be lost", in("unread")},
	{"pkg/redisstream/floor/lost.go", "	case err == nil && len(groups) == 0:\n		return nobody\n	case err != nil || at < 0", "	case err != nil || at < 0", "a stream without a group is shortened without a word", in("unread")},
	{"pkg/redisstream/script/lua/append.lua", "== 0 and not consumed(stream) then", "== 0 then", "consumers that delete what they read set off reading again", in("unread")},
	{"pkg/redisstream/floor/lost.go", "g.Lag > r.Length ||", "g.Lag >= 0 ||", "what groups had read counts as lost", in("start")},
	{leapGo, "	p.learn(*late)\n", "	p.learn(float64(seq - last))\n", "a staircase of gaps carries the cursor anywhere", in("pipeline")},
	{trackerGo, "	if from, to, ok := t.delivered.within(seq); ok {", "	if from, to, ok := t.delivered.within(seq); false && ok {", "events from inside a gap that was none are dropped in silence", in("pipeline")},
	{appendLua, "(known or ARGV[2] == 'held')", "ARGV[2] == 'held'", "a writer that has just gone back does not notice that the stream is gone", in("start")},
	{appendLua, "if known and not jump and not string.find(newSide, '\"stored\":', 1, true) then newSide = newSide .. ',\"stored\":' .. known end", "", "a position stored behind a rollback makes the side key forget that there are entries", in("start")},
	{missingGo, "	return min(cursor, w.floor.Seq)\n", "	return cursor\n", "a stream that vanished is not read again", in("append", "start")},
	{"pkg/redisstream/floor/floor.go", "		f.Known, f.Seq = true, seq\n	}\n}\n\n// UpTo", "	}\n}\n\n// UpTo", "who takes over does not learn how far all groups were", in("start")},
	{missingGo, "	case err == nil && (newest == 0 || newest < event.Seq(w.stored)):", "	case err == nil && newest < 0:", "an idle leader takes an emptied stream for one that all groups have read", in("start", "sim")},
	{streamGo, "		h.Floor = &f.Seq\n", "		_ = &f.Seq\n", "how far all groups were dies with the leader", in("start")},
	{startGo, "	case f.Length == 0:\n		w.acked", "	case f.length < 0:\n		w.acked", "a start does not notice that the stream is gone", in("start", "sim")},
	{startGo, "	case f.Newest > 0 && f.Newest < min(stored, f.Cursor):\n		if w.groups.Acknowledged(ctx) {", "	case false:\n		if w.groups.Acknowledged(ctx) {", "a start does not notice that the newest entries are gone", in("start")},
	{startGo, "	case there:\n", "	case false:\n", "entries that others appended count as a removal of ours", in("start")},
	{startGo, "	if !first || w.config.Identity.partitions() > 1 || w.config.adopts() {", "	if true {", "a second cut-over on another relay is taken for a restart", in("start")},
	{startGo, "f.Newest <= event.Seq(f.side.Upto) || w.config.adopts()", "true", "a vanished cursor becomes a number of another relay", in("start")},
	{alignGo, "	if err := s.inOrder(ctx, stands); err != nil {\n", "	if err := s.inOrder(ctx, nil); err != nil && false {\n", "a set does not tell of what vanished", in("partitions")},
	{shareGo, "		return b.After.Seq\n", "		return b.After.Seq + 1\n", "the start skips an event", in("append", "sim", "store")},
	{faultsGo, "\"CLUSTERDOWN\", \"MISCONF\", \"OOM\",", "\"CLUSTERDOWN\", \"MISCONF\",", "a full memory ends the program", in("sim", "append")},
	{faultsGo, "\"LOADING\", \"READONLY\",", "\"LOADING\",", "a failover ends the program", in("sim", "append")},
	{missingGo, "m, err := w.moveFrom(ctx, cursor, to, true)", "m, err := w.moveFrom(ctx, cursor, to, false)", "a set whose leader dies when a stream vanished is refused", in("partitions")},
	{resumeGo, `return err == nil && leader != "" &&`, `return err == nil && leader == "nobody" &&`, "a start while the side key is missing takes the leader's cursor for the bridge's", in("lease")},
	{exchangeGo, "		cmd.SetErr(err)\n", "		_ = cmd\n", "what a busy server never answered is read", in("store")},
}

var pipelineMutants = []mutant{
	{sequenceGo, "s.flushed = event.AfterSeq(s.filling.Upto)", "s.flushed = s.flushed", "batches do not tell what they continue", in("sim", "pipeline")},
	{sequenceGo, "		s.filling.Upto = m.seq\n", "", "events without entry do not move the position", in("sim", "pipeline")},
	{sequenceGo, "	case step.Verdict == event.Repeat:\n", "	case false:\n", "repeats are passed on", in("pipeline", "sim")},
	{sequenceGo, "		if s.link.hungUp || s.reached {", "		if s.reached {", "a broken connection's rest is used", in("pipeline", "sim")},
	{sequenceGo, "	if s.filling != nil && m.entry != nil && s.full(len(m.entry)) {", "	if false {", "batches have no bound", in("pipeline")},
	{sequenceGo, "		w.barrier <- [2]event.Position{s.tracker.Position(), s.tracker.Resume()}\n", "		w.barrier <- [2]event.Position{s.at.Position, s.at.Position}\n", "a reconnect asks for the start-up cursor", in("pipeline", "sim")},
	{sequenceGo, "	s.cfg.Observer.Counted(&s.counts)\n", "", "nothing is counted", in("pipeline", "sim")},
	{sequenceGo, "	case m.notice != nil:", "	case false:", "what the relay says of itself is passed over", in("pipeline", "sim")},
	{judgeGo, "if s.poison.tries++; s.poison.tries < poisonTries {", "if s.poison.tries++; true {", "a poison frame loops for ever", in("pipeline")},
	{judgeGo, "if s.poison.tries++; s.poison.tries < poisonTries {", "if s.poison.tries++; false {", "a frame damaged on its way is passed over at once", in("pipeline")},
	{strayGo, "	return StrayTime", "	return 1e6 * StrayTime", "a restarted numbering is dropped in silence", in("pipeline")},
	{judgeGo, "	case m.kind == event.KindError && name == \"FutureCursor\":", "	case m.kind == event.KindError && name == \"PastCursor\":", "FutureCursor is not told", in("pipeline", "sim")},
	{strayGo, "		return RepeatTime", "		return 1e6 * RepeatTime", "a connection with nothing but repeats is never looked at anew", in("pipeline")},
	{strayGo, "	case j.lost >= contradictions:\n", "	case false:\n", "a leap that proves wrong drops events in silence", in("pipeline")},
	{waitingGo, "	case l.opening.Open():\n		w.add", "	case false:\n		w.add", "the first event of a start is believed by who follows a relay", in("follow")},
	{waitingGo, "w.wide, w.from = step.Unsure,", "w.wide, w.from = false,", "who follows a relay believes what lies behind any gap", in("follow")},
	{trackerGo, "*t = Tracker{pos: Behind(shown - 1)", "*t = Tracker{pos: AfterSeq(shown - 1)", "who asks in front of seq 1 asks for what is live", in("pipeline", "follow")},
	{numberGo, "	l.waiting.drop(from)\n", "", "an event that was disproved is yielded", in("follow")},
	{eventsGo, "	if l.Rest || ctx.Err() == nil {", "	if true {", "what nothing confirmed is yielded at a stop", in("follow")},
	{rememberGo, "ok && sum == m.sum {", "ok && sum > 0 {", "a true event is taken for a false one of its number", in("follow")},
	{replayRun, "		return t.Return(ctx, to)\n", "		_ = t\n", "a replay loses what a false event lies above", in("replay")},
	{seamGo, "	case by > windowGap && s.missing(by):", "	case false:", "a window that was exceeded is not told", in("pipeline")},
	{seamGo, "	case by > windowGap && s.missing(by):", "	case by > windowGap:", "a quiet host has lost events", in("pipeline")},
	{seamGo, "	enough := votes >= timesKept ||", "	enough := votes >= 1 ||", "one event's time raises an alarm", in("pipeline")},
	{seamGo, "	case by < -windowGap && s.skipped >= renumberGap && votes >= 2:", "	case false:", "another relay under the same name is not told", in("pipeline")},
	{timeGo, "votes[n/2].sent", "votes[n-1].sent", "the latest time counts", in("pipeline")},
	{timeGo, "return at, firstYear <= at.Year() && at.Year() <= lastYear", "return at, true", "the year 1970 is a time", in("event", "pipeline")},
	{pipeLeapGo, "		s.rejectLeaps(func(event.Seq) bool { return true })\n", "", "a leap that was disproved is not counted", in("pipeline", "sim")},
	{pipeLeapGo, "	case s.tracker.Waited(s.link.judge.Conn()):\n", "	case false:\n", "a leap of a quiet relay is never confirmed", in("pipeline", "sim")},
	{pipeLeapGo, "	if step.Ask {\n", "	if false {\n", "a leap of a busy relay waits for nothing", in("event", "pipeline")},
	{leapGo, "	return rise <= allowed\n", "	return true\n", "one seq moves the cursor anywhere", in("pipeline", "sim")},
	{leapGo, "		allowed = max(allowed, paceSlack*p.rate*passed.Seconds())\n", "", "a pause of a steady relay is a leap", in("event")},
	{leapGo, "gapSlack * p.widest[1]", "gapSlack * p.widest[0]", "one true leap excuses the next", in("event")},
	{leapGo, "gapSlack * p.widest[1]", "0 * p.widest[1]", "sparse numbers are doubted each time", in("pipeline")},
	{leapGo, "	paceSlack = 4\n", "	paceSlack = 100_000\n", "what is far ahead is believed after a moment's pause", in("pipeline")},
	{trackerGo, "	step.Unsure = step.Skipped > 0 && !known", "	step.Unsure = false && !known", "a false seq a little ahead is stored", in("pipeline")},
	{trackerGo, " || t.JumpsOver(seq) || t.suspect", " || t.suspect", "a false seq that comes again on each connection is stored", in("pipeline")},
	{trackerGo, "	t.shown, t.news, t.backs = shown, 0, t.backs+1\n", "	t.shown, t.news, t.backs = shown, 1, t.backs+1\n", "a relay that contradicts itself is asked again without end", in("event")},
	{trackerGo, " || step.Unsure && t.asked.open && seq > t.asked.seq", "", "an unsure event disproves the one that was asked about", in("event")},
	{trackerGo, " || t.suspect.jumps(last, conn)", "", "a false seq between events that come again is stored", in("pipeline")},
	{sequenceGo, "		if !s.tracker.Repeated(m.seq) && ", "		if ", "what was asked for to confirm a gap is a numbering that restarted", in("pipeline")},
	{"pkg/event/suspect.go", " && seq > t.Last()\n", " && false\n", "what a relay forgot behind a start is not told", in("event")},
	{"pkg/event/suspect.go", "	if t.suspect.to > 0 {\n", "	if false {\n", "false seqs in a row before a cut hide what lies below them", in("pipeline")},
	{trackerGo, "		return seq\n	case t.start == Live", "		return 0\n	case t.start == Live", "two false first events hide what follows", in("pipeline")},
	{spillPump, "		return line.Resume(), ctx.Err()\n", "		return f.pumpAt, ctx.Err()\n", "a false run before a cut moves the pump", in("spill")},
	{leapGo, "const fading = 1 - 1.0/2048", "const fading = 1 - 1.0/64", "a relay that skips numbers now and then is asked about each gap", in("pipeline")},
	{gapGo, "step.Believed > 0, nil\n", "g.again || step.Believed > 0, nil\n", "a gap behind one that was shown again is believed", in("pipeline")},
	{trackerGo, "step.Unsure && t.asked.times < leapProofs", "false", "a false seq that two connections end with is stored", in("event", "pipeline")},
	{sequenceGo, "		s.gap.from = max(s.gap.from, s.flushed.Seq)", "		_ = max(s.gap.from, s.flushed.Seq)", "a false seq before a cut is stored, where the batch before it was full", in("pipeline")},
	{firstGo, "	if o.open = first && seq != before; o.open {", "	if o.open = first && before == 0; o.open {", "another connection's other event confirms a false first one", in("pipeline")},
	{openingGo, "	case below:\n", "	case false:\n", "a false first seq a little ahead hides what follows", in("pipeline")},
	{leapSpill, "		if step.Verdict == event.Repeat && f.judge.line.Repeated(seq) {\n", "		if false {\n", "a false seq that comes again passes the one that is kept back", in("spill")},
	{spillPump, "	if first, highest := bounds(chunk); highest > 0 && highest <= prev {", "	if first, highest := bounds(chunk); highest > 0 && first <= prev {", "a file that begins with a repeat hides a damaged one", in("spill")},
	{gapGo, "	if known && s.flushed.Seq > seq {\n		return false\n	}\n", "", "events that are on their way to the sink are taken back", in("pipeline")},
	{gapGo, "	case now.Sub(s.gap.since) >= wait && !s.gap.again:\n		s.askGap()\n", "", "silence proves a false seq a little ahead", in("pipeline")},
	{gapGo, "	if err := g.cfg.Sink.Return(ctx, *h.back); err != nil {", "	if err := g.cfg.Sink.Rebase(ctx, *h.back); err != nil {", "what is stored behind a gap that was none is stored twice", in("pipeline")},
	{"pkg/redisstream/partitions/resume.go", "		s.alarm(m)\n	}\n", "	}\n", "of several partitions in trouble one is told of", in("partitions")},
	{againGo, ",\"again\":%[2]d", "", "who takes over after a Return stores again what is there", in("again")},
	{"pkg/redisstream/partitions/return.go", "		if !st.Present || st.Side == nil || st.Cursor <= to ||", "		if true || !st.Present || st.Side == nil || st.Cursor <= to ||", "a Return cut short loses what partitions lack", in("again")},
	{spillGapGo, "	f.high, f.pumpAt = f.judge.back, event.AfterSeq(f.judge.back)\n", "", "a false gap moves what the relay is asked for while spilling", in("spill")},
	{leapSpill, "		if step.Verdict == event.Leap {\n", "		if false {\n", "one seq moves what the relay is asked for while spilling", in("spill")},
	{leapGo, "const leapProofs = 2", "const leapProofs = 0", "one connection proves a leap", in("pipeline", "sim")},
	{leapGo, "	d.fell(seq, conn, now)\n", "", "a leap that was false is followed by true lower numbers and believed", in("event", "pipeline")},
	{leapGo, "		if l.stood {\n", "		if true {\n", "a connection that ends at once proves a leap", in("pipeline")},
	{leapGo, "	return (l.over || l.first > absurdSeq) && l.events < absurdEvents", "	return false", "silence proves a seq that nothing has reached", in("pipeline")},
	{decodeGo, "	if m.filtered = !keep(ev); m.filtered {", "	if m.filtered = !keep(ev); false {", "filtered events are delivered", in("pipeline", "sim")},
	{decodeGo, "		m.seq = m.reject.Seq\n", "", "a rejected event does not move the position", in("pipeline", "sim")},
	{readGo, "		w.finish() // the sequencer will wait for this chunk: it has nothing\n", "", "stopping waits for a chunk nobody decodes", in("pipeline")},
	{writeGo, "	defer context.AfterFunc(run, func() { time.AfterFunc(g.cfg.Drain, giveUp) })()", "	defer context.AfterFunc(run, giveUp)()", "stopping drops what was read", in("pipeline", "sim")},
	{writeGo, "	defer context.AfterFunc(run, func() { time.AfterFunc(g.cfg.Drain, giveUp) })()", "", "stopping waits for a sink that hangs", in("pipeline", "sim")},
	{holdGo, "if err != nil || !ok || seq == at.Seq {", "if true || err != nil || !ok {", "an operator's move is not noticed while held", in("pipeline")},
	{holdGo, "	to := h.first - 1", "	to := h.first", "following a new numbering skips its first event", in("pipeline")},
	{revsGo, "known := slot.repo == m.repo.repo && m.repo.rev <= slot.rev", "known := slot.repo == m.repo.repo && m.repo.rev < slot.rev", "a renumbered relay's commit is stored twice", in("pipeline")},
	{pipelineGo, "	err = group.Wait()\n", "	err = group.Wait()\n	err = nil\n", "a moved cursor ends the program", in("pipeline", "sim")},
}

var standbyMutants = []mutant{
	{standbyGo, "	return at.Start == event.Live || s.absent <= at.Seq\n", "	return true\n", "who takes over does not see that events are not at hand", in("pipeline", "sim")},
	{standbyGo, "	for n < len(s.aside) && s.aside[n].last <= cursor {", "	for n < len(s.aside) {", "standing by drops what the leader has not stored", in("pipeline", "sim")},
	{standbyGo, "			s.absent = max(s.absent, c.last)\n", "", "what was let go counts as at hand", in("pipeline", "sim")},
	{standbyGo, "	s.last, s.absent = s.at.Seq, s.at.Seq\n", "	s.last = s.at.Seq\n", "a reconnect while standing by is forgotten", in("pipeline", "sim")},
	{leadGo, "		if at, err = g.begin(ctx); ctx.Err() != nil {", "		if at, err = g.at, nil; ctx.Err() != nil {", "who takes over begins where it began to stand by", in("pipeline", "sim")},
}

var relayMutants = []mutant{
	{trackerGo, "doubted > 0 && seq > doubted || ", "", "an event above one in doubt disproves it, and it is left out", in("event")},
	{trackerGo, "			t.pace = t.pace.afresh(arrived, seq) // a leap", "			t.pace.note(last, seq, arrived) // a leap", "a leap that is read again is learned twice, and excuses a false one", in("event")},
	{leapGo, "		l.shown[i] = min(l.shown[i], wide)\n", "		l.shown[i] = max(l.shown[i], wide)\n", "a gap that one connection showed excuses another", in("event")},
	{openingGo, "	if s.opening() && s.first.Asks() {\n		s.withdraw()", "	if false {\n		s.withdraw()", "the first seq of a start is believed when its connection ends", in("pipeline")},
	{openingGo, "		s.age.Stop()\n		s.watch.Reset(event.LeapWaitWithin(s.cfg.IdleTimeout))", "		s.watch.Reset(event.LeapWaitWithin(s.cfg.IdleTimeout))", "the first seq of a start is believed when its batch is due", in("pipeline")},
	{sequenceGo, "	if step.Verdict == event.Leap && chunk.Judged && !s.tracker.JumpsOver(m.seq) {", "	if false {", "a leap that the spill directory judged is doubted again", in("pipeline")},
	{trackerGo, "	if seq <= last {", "	if seq < last {", "the boundary event is passed on twice", in("event", "sim")},
	{trackerGo, "	if t.pos = AfterSeq(seq); seq >= t.shown {", "	if t.pos = AfterSeq(seq - 1); seq >= t.shown {", "the position lags by one", in("event", "sim")},
	{batchGo, "	*b = Batch{After: after, Entries: b.Entries[:0], Time: b.Time[:0], arena: b.arena[:0]}", "	*b = Batch{After: after, Entries: b.Entries, Time: b.Time[:0], arena: b.arena[:0]}", "a reused batch keeps old entries", in("event", "sim")},
	{connGo, "	if b.cause != causeHangup && b.cause != causeStopped && !c.enough {", "	if false {", "frames before a cut are not handed over", in("relay")},
	{connGo, "			c.chunk.Buf = c.chunk.Buf[:start]\n", "			c.chunk.Frames = append(c.chunk.Frames, event.Frame{Data: c.chunk.Buf[start:]})\n", "half a frame is handed over", in("relay", "sim")},
	{"pkg/relay/lot.go", "	case buf = <-l:\n", "	default:\n", "large messages share memory that is in use", in("relay")},
	{connGo, "	c.ws.SetReadLimit(limit)\n", "	c.ws.SetReadLimit(0 * limit)\n", "messages have no limit", in("relay", "sim")},
	{backoffGo, "	for i := 1; i < attempt && full < maximum; i++ {", "	for i := 1; i < 1; i++ {", "reconnecting does not back off", in("relay")},
	{backoffGo, "		p.attempt, p.oversize, p.refusals, p.partial = 0, 0, 0, 0\n", "", "progress does not reset the backoff", in("relay")},
	{wireGo, "	w.allowed.left -= n\n", "", "a handshake may have any length", in("relay")},
	{dialGo, "	allowed := &allowance{left: handshakeBytes}\n	for range maxRedirects + 1 {\n", "	for range maxRedirects + 1 {\n		allowed := &allowance{left: handshakeBytes}\n", "each redirect may be as long as a whole handshake", in("relay")},
	{dialGo, "	dialing, cancel := context.WithDeadline(ctx, until)", "	dialing, cancel := context.WithDeadline(ctx, time.Now().Add(s.cfg.DialTimeout))", "each redirect has the time of a whole dial", in("relay")},
	{dialGo, "	if err == nil && upgradeFlaw(answer.Header, nil) != \"\" {", "	if false {", "a host may turn compression on", in("relay")},
	{dialGo, "		return \"without the header Connection: Upgrade\"", "		return \"\"", "a bad upgrade does not say what is wrong", in("relay")},
	{livenessGo, "			l.event = time.Now()\n			return\n", "			return\n", "events do not renew the idle timer", in("relay", "sim")},
	{livenessGo, "ok && l.seen.rises(seq)", "ok", "repeats are life", in("relay")},
	{livenessGo, "	case seq <= n.sure || seq == n.highest:", "	case seq == n.highest:", "repeats going round are life", in("relay")},
	{livenessGo, "		n.sure = n.highest\n", "		n.sure = seq\n", "one seq far ahead makes all others repeats", in("relay")},
	{livenessGo, "	l.event = l.event.Add(max(0, took-chunkTime))\n", "	l.event = l.event.Add(took)\n", "a flood of messages gains time by being handled", in("relay")},
	{livenessGo, "	l.event = l.event.Add(max(0, took-chunkTime))\n", "", "a slow receiver is taken for a dead relay", in("relay")},
	{livenessGo, "	case now.Sub(l.bytes) >= l.silence:", "	case false:", "a long idle timeout hides that a host is gone", in("relay")},
	{connGo, "	case !now.Before(c.overdue):\n", "	case false:\n", "whole events wait for a message that never ends", in("relay")},
	{connGo, "	part.Frames, part.Arrived = part.Frames[:0], time.Now()\n", "", "events in front of a part are handed over twice", in("relay")},
	{connGo, "		to.Buf = append(to.Buf, f.Data...)\n", "		to.Buf = f.Data\n", "events in front of a part share its memory", in("relay")},
	{sourceGo, "	if !b.final || !f.succeeded {", "	if !b.final {", "a host that serves no stream is asked for ever", in("relay")},
	{sourceGo, "	if !b.final || !f.succeeded {", "	if true {", "a maintenance page ends a run", in("relay", "sim")},
	{sourceGo, "	if f.refusals++; f.refusals == 1 {", "	if f.refusals++; true {", "each refusal is an alarm", in("relay")},
	{sourceGo, "		if last.brought || last.cause == causeIdle {", "		if last.brought {", "a quiet host is dialled ever more slowly", in("relay")},
	{proxyGo, "	case code == http.StatusProxyAuthRequired && g.user == nil:", "	case false:", "a proxy that wants a password is told as one that does not take it", in("relay")},
	{sourceGo, "delay := max(last.wait, ", "delay := max(0, ", "Retry-After is ignored", in("relay")},
}

var codecMutants = []mutant{
	{filterGo, "	if f.byKind && !f.kinds[ev.Kind] {", "	if false {", "kinds are not filtered", in("filter", "sim")},
	{filterGo, "	case f.byAction && !f.actions[action]:\n", "	case false:\n", "actions are not filtered", in("filter")},
	{filterGo, "	return len(ev.Commit.Ops) > 0\n", "	return true\n", "a commit without wanted ops is delivered", in("filter")},
	{filterGo, "			sorted := slices.Compact(slices.Sorted(slices.Values(list)))", "		sorted := list", "the order of a filter's list makes it another", in("filter")},
	{opsGo, "	case op.Action == event.ActionNone || !path(op.Path):", "	case op.Action == event.ActionNone:", "an op without path poisons its entry", in("frame")},
	{opsGo, "	case !syntax.StrictCID(op.CID, syntax.CodecDAGCBOR):", "	case op.CID[0] == 0 && !syntax.StrictCID(op.CID, syntax.CodecDAGCBOR):", "an op's CID is not checked", in("frame")},
	{"pkg/fault/redact.go", "maskUser(head[:at])+\"@\"", "head[:at]+\"@\"", "a password is printed", in("fault")},
}

var spillMutants = []mutant{
	{"pkg/capture/spill/pump.go", "	if f.takeNotices(chunk); len(chunk.Frames) == 0 {", "	if len(chunk.Frames) == 0 {", "a notice that was spilled is taken for an answer to another cursor", in("spill")},
	{"pkg/capture/spill/segment.go", "prev: prev, last: prev, from", "prev: prev, from", "a file of notices alone makes reading go on live", in("spill")},
	{"pkg/capture/spill/flow.go", "	f.disk.apart()\n", "", "what filled a gap between files and was dropped is not read again", in("spill")},
	{"pkg/capture/spill/leap.go", "				f.takeBack(first)\n", "", "a false first seq hides a missing file", in("spill")},
	{"pkg/capture/spill/pump.go", "	f.reopen()\n", "", "a false first seq becomes the pump's place when its connection ends", in("spill")},
	{spillFile, "		return fmt.Errorf(\"spill frames: %w\", err)\n	}\n	s.size", "		return nil\n	}\n	s.size", "a full disk loses frames", in("spill")},
	{spillFile, "	if err == nil && n < len(data) {\n", "	if n < 0 {\n", "a short write counts as written", in("spill")},
	{spillFile, "	err := dir.rename(s.name, name)\n	if err == nil {\n		s.name = name\n", "	err := dir.rename(s.name, name)\n	s.name = name\n	if err == nil {\n", "a rename that failed loses the file", in("spill")},
	{spillFile, "	if isOld(f) {\n", "	if false {\n", "an old file without checksums is deleted", in("spill")},
	{spillFile, "		_ = w.file.Truncate(s.size) ", "		s.size = w.good; _ = w.file.Truncate(s.size) ", "half a chunk that could not be written counts as its end", in("spill")},
	{spillDisk, "d.segments[0].last <= d.acked {", "true {", "files are deleted before they are stored", in("spill")},
	{spillDisk, "	if s.shared {\n", "	if false {\n", "the rest of a damaged file is deleted with its beginning", in("spill")},
	{spillDisk, "		d.segments = slices.Insert(d.segments, d.next+1, rest)\n", "", "what is behind damage is given up", in("spill")},
	{spillFlow, "		if s.prev > f.receiver.given && f.receiver.given > 0 && !s.joined {", "		if false {", "a missing file between two others is a hole", in("spill")},
	{spillFlow, "	if s.last > f.receiver.given {\n		f.damaged(s)", "	if false {\n		f.damaged(s)", "a file that is cut short is a hole", in("spill")},
	{spillFlow, "	f.lost(s.name, f.receiver.given, upto, why.Error())\n", "	_ = upto\n", "damage is not told", in("spill")},
	{spillFlow, "	f.disk.divide(f.receiver.given, read, rest)\n	f.aim(event.AfterSeq(f.receiver.given))\n", "	f.disk.divide(f.receiver.given, read, rest)\n", "the relay is not asked for what is damaged", in("spill")},
	{sinkMemory, "if m.known && b.After != event.AfterSeq(m.cursor) {", "if false {", "a sink stores what does not follow", in("sinktest")},
	{sinkMemory, "		m.cursor, m.known = b.Upto, true\n		receipts", "		m.known = true\n		receipts", "a sink forgets how far it came", in("sinktest")},
	{blockWalk, "	return b.Unpack(d, packed)\n", "	d.Sum = Sum(packed)\n	return b.Unpack(d, packed)\n", "blocks are not checked before they are handed on", in("spill")},
	{blockWalk, "	if b.last == nil && d.After != b.Prev || b.last != nil && !d.Follows(b.last) {", "	if false {", "another file's blocks are taken", in("spill")},
	{spillRead, "		if err := checkOld(r.file, s); err != nil {", "		if err := checkOld(r.file, s); err != nil && false {", "an old file is not checked", in("spill")},
	{spillRead, "s.prev >= after && !s.begun", "s.prev >= after", "an error frame on disk is handed on for ever", in("spill")},
	{spillPump, "			if f.spill(chunk, prev) {\n				return true\n			}\n", "			f.spill(chunk, prev)\n			return true\n", "a chunk that was not written is forgotten", in("spill")},
	{spillPump, "	} else if chunk = f.free.copied(chunk); chunk == nil {", "	} else if false {", "a giant frame that nobody takes keeps the next one from being read", in("spill")},
	{spillRead, "		if wait = errors.Is(err, block.ErrNoMemory); wait {\n", "		if errors.Is(err, block.ErrNoMemory) {\n", "a giant frame that has to wait is taken for the end of its file", in("spill")},
	{spillDir, "	if !info.Mode().IsRegular() {", "	if false {", "links in the directory are followed", in("spill")},
}

var captureMutants = []mutant{
	{blockPart, "	if le.Uint32(head[12:]) != Sum(head[:12]) {", "	if false {", "a part's length is believed unchecked", in("capture")},
	{blockPart, "	if le.Uint32(data[n:]) != Sum(data[:n]) {", "	if false {", "a descriptor is believed unchecked", in("capture")},
	{blockPack, "	if len(packed) != b.Packed || Sum(packed) != b.Sum {", "	if len(packed) != b.Packed {", "a block's bytes are not checked", in("capture")},
	{blockPack, "	if packed.size != b.Packed || packed.sum != b.Sum {", "	if false {", "a giant block's bytes are not checked", in("block")},
	{blockPack, "zstd.WithDecoderMaxMemory(MaxUnpacked)", "zstd.WithDecoderMaxMemory(1<<40)", "a block unpacks to whatever it likes", in("capture")},
	{blockPart, "		x.Entries = x.Entries[:MaxEntries/2]\n", "		x.Entries = x.Entries[:MaxEntries]\n", "an index grows without bound", in("capture")},
	{captureGo, "	case b.last == nil && !d.Follows(first), b.last != nil && !d.Follows(b.last):", "	case d.Follows(first) && false:", "missing blocks are not noticed", in("capture")},
	{captureGo, "	if !b.indexed || !passed && (", "	if !passed && (", "a lost index is not noticed", in("capture")},
	{captureGo, "		if errors.Is(err, io.EOF) && n == 0 && b.some && !b.headed {", "		if errors.Is(err, io.EOF) && n == 0 {", "a capture cut between two blocks looks whole", in("capture")},
	{captureGo, "		if d.Before != b.sought.Before || d.After != b.sought.After {", "		if false {", "an index that lies is believed", in("capture")},
	{resumeFile, "	if err = file.Truncate(k.size); err == nil {", "	if err == nil {", "a resumed capture keeps what a crash left behind", in("capture")},
}

// swellMutants are about what is small on the wire and large in memory, and about
// bugs that no test had noticed.
var swellMutants = []mutant{
	{"pkg/pipeline/large.go", "	case <-g.large.free:\n	case <-g.over:\n", "	default:\n	case <-g.over:\n", "large entries share memory that is in use", in("pipeline")},
	{decodeGo, "w.marks, w.ops, w.times = w.marks[:len(w.marks)-1], w.ops[:ops], w.times[:times]", "_, _ = ops, times", "a frame without room counts twice", in("pipeline")},
	{decodeGo, "if len(w.marks) > 0 || !w.turn {", "if false {", "an entry is made before those that come first", in("pipeline")},
	{sequenceGo, "			w.again <- !s.link.hungUp && !s.reached\n", "			w.again <- false\n", "the rest of a chunk is dropped", in("pipeline")},
	{sequenceGo, "	m.lent = true\n", "	m.lent = false\n", "memory that a batch has is used again", in("pipeline")},
	{sequenceGo, "return n >= s.cfg.BatchSize || n > 0 && s.filling.Bytes+more > s.cfg.BatchBytes", "return n >= s.cfg.BatchSize", "batches have no bound in bytes", in("pipeline")},
	{writeGo, "		if b.Lent {\n", "		if false {\n", "the second large entry waits for ever", in("pipeline")},
	{"pkg/dagcbor/definite.go", "	h := AppendHead(head[:0], major, uint64(arg))\n", "	h := append(head[:0], major<<5|27, 0, 0, 0, 0, byte(arg>>24), byte(arg>>16), byte(arg>>8), byte(arg))\n", "empty containers of indefinite length grow", in("dagcbor")},
	{"pkg/frame/decoder.go", "	d.fields.data, d.ops.fields.data = nil, nil\n", "", "each decoder keeps a copy of a large frame", in("frame")},
	{"pkg/dagcbor/transcode.go", "	if len(dst) > t.limit {\n", "	if false {\n", "JSON grows beyond its limit", in("dagcbor")},
	{"pkg/entry/append.go", "if o.Skip = m.skip; m.end-m.start > limit-len(dst) {", "if o.Skip = m.skip; false {", "one block named often makes any amount of JSON", in("entry")},
	{"pkg/entry/append.go", "if !syntax.ValidHandle(ev.Identity.Handle) || !ok || err != nil {", "if len(ev.Identity.Handle) == 0 || !ok || err != nil {", "a DID takes the place of a handle", in("entry")},
	{"pkg/frame/decoder.go", "		ev.Flags.Set(event.FlagHandle)\n", "", "a handle that is left out is not counted", in("frame")},
	{"pkg/dagcbor/containers.go", "next > 0 && h.Major == MajorText && h.Arg", "next > 0 && h.Arg", "a $type that is no text passes", in("frame")},
	{"pkg/blocks/walk.go", "length < syntax.CIDLen || length > uint64(len(data)-start) || !commonCID", "length < syntax.CIDLen || !commonCID", "a CAR that was cut short passes", in("blocks")},
	{appendLua, "local proof = redis.pcall('SET', sideKey, newSide)", "local proof = 'OK'; redis.pcall('SET', sideKey, newSide)", "a side key that cannot be written is passed over", in("append")},
	{appendLua, "#ARGV >= FIRST and (not cursor or above(ARGV[#ARGV - 2], cursor)) then", "#ARGV >= FIRST then", "a batch that is stored waits for room", in("retention")},
	{"pkg/jsonscan/tape.go", "	if t.used > most {\n", "	if false {\n", "small values without end are kept", in("jsonscan", "verify")},
	{"pkg/jsonscan/tape.go", "return t.seen&highs == 0 ||", "return true ||", "bytes that are no UTF-8 are taken for sound", in("jsonscan", "verify")},
	{"pkg/jsonscan/tape.go", "			seen |= word\n", "", "bytes that are no UTF-8 are taken for sound where there are many", in("jsonscan", "verify")},
	{"pkg/verify/block/encode.go", "e.Large = e.Large || len(e.buf)+n > dagcbor.MaxRecord", "e.Large = false", "a record of any size is turned into its block", in("verify")},
	{"pkg/verify/data.go", "	if t.IsClosed(k.record) {\n", "	if false {\n", "the records of a large commit are taken for empty", in("verify")},
	{"pkg/verify/data.go", "		if i == frame.MaxOps {\n", "		if i < 0 {\n", "ops without end are findings without end", in("verify")},
	{"pkg/audit/stream.go", "	rules.GapsTo = x.reached\n", "", "what one partition has yet to store is a gap", in("audit")},
	{"pkg/audit/stretch.go", "x.to, x.open = before(behind), false", "x.to = before(behind)", "the cursor is compared with the middle of the stream", in("audit")},
	{"pkg/audit/against.go", "if a.RunID == \"\" || a.RunID != b.RunID {", "if a.RunID == b.RunID {", "a stream that is compared with itself is clean", in("audit")},
	{"pkg/audit/cursor.go", "!live || time.Now().After(until)", "live || time.Now().After(until)", "a cursor on its way is a cursor that passed something over", in("audit")},
	{"pkg/coverage/stream.go", "		if added == b.Length {\n", "		if added < 0 {\n", "a partition that began late seems to be trimmed", in("coverage")},
	{"pkg/redisstream/reader/reply.go", "	if r.heads {\n", "	if false {\n", "a look at the ends of a stream holds whole entries", in("store")},
	{"pkg/redisstream/reader/reply.go", "if r.most > 0 && len(r.buf)+r.held+int(limited.N) > r.most {", "if false {", "a page has no bound in bytes", in("store")},
}
