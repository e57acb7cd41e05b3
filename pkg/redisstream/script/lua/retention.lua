-- Retention: what may leave the stream, and what its readers lose by it.
-- Prepended, after common, to append and room.

local LAST = '18446744073709551615-18446744073709551615'

-- How many entries one call reads to count, at most.
local READ = 1000

-- before orders entry ids by their two numbers.
local function before(a, b)
  local am, as = string.match(a, '^(%d+)-?(%d*)$')
  local bm, bs = string.match(b, '^(%d+)-?(%d*)$')
  if am ~= bm then return above(bm, am) end
  if as == '' then as = '0' end
  if bs == '' then bs = '0' end
  return above(bs, as)
end

-- field is a named value of a flat list of names and values; nil without one.
local function field(list, name)
  for i = 1, #list, 2 do
    if list[i] == name then return list[i + 1] end
  end
  return nil
end

local function seqOf(row)
  return row and tostring(field(row[2], 'seq') or '') or ''
end

-- edge is the id and seq of the oldest entry, or with 'XREVRANGE' of the newest.
local function edge(stream, command)
  local row
  if command == 'XREVRANGE' then
    row = redis.call(command, stream, '+', '-', 'COUNT', 1)[1]
  else
    row = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  end
  if row then return row[1], seqOf(row) end
  return nil, ''
end

-- groupsNow lists groups: name, last delivered id, pending count, and need, the
-- lowest id that must stay for them to lose nothing. XINFO's lag is not used: it
-- stays wrong after trimming in Redis 7.0.
local function groupsNow(stream, first)
  local list = redis.pcall('XINFO', 'GROUPS', stream)
  if failed(list) then return {}, failed(list) end
  local groups = {}
  for _, fields in ipairs(list) do
    local g = {name = field(fields, 'name'), last = field(fields, 'last-delivered-id'), pending = field(fields, 'pending')}
    g.need = g.last
    if g.pending > 0 then
      -- What is pending and gone already does not count: ask from the first.
      local rows = redis.pcall('XPENDING', stream, g.name, first, '+', 1)
      if not failed(rows) and rows[1] and before(rows[1][1], g.need) then g.need = rows[1][1] end
    end
    groups[#groups + 1] = g
  end
  return groups
end

-- inHand is the set of ids that a group has pending from one id up to, but not
-- including, another, and their number.
local function inHand(stream, g, from, to, most)
  local set, n = {}, 0
  if g.pending == 0 then return set, 0 end
  local rows = redis.pcall('XPENDING', stream, g.name, from, to, most + 1)
  if failed(rows) then return set, 0 end
  for _, row in ipairs(rows) do
    if row[1] ~= to then
      set[row[1]] = true
      n = n + 1
    end
  end
  return set, n
end

-- below reads entries under an id, oldest first, no more than count; all of
-- them when the id is nil.
local function below(stream, id, count)
  local rows = redis.call('XRANGE', stream, '-', id or '+', 'COUNT', count)
  if id and rows[#rows] and rows[#rows][1] == id then rows[#rows] = nil end
  return rows
end

-- lossOf is what a group lost of the entries removed.
local function lossOf(stream, g, cut)
  local loss = {name = g.name, unread = 0, pending = 0}
  local set, n = inHand(stream, g, cut.from, cut.to, cut.total)
  if g.lostAll then
    loss.unread, loss.pending = cut.total, n
    loss.from, loss.to = cut.fromSeq, cut.lastSeq
    return loss
  end
  -- Nothing that this group needs went unread by us: see trim.
  for _, row in ipairs(cut.rows) do
    local unread = before(g.last, row[1])
    if unread then loss.unread = loss.unread + 1 end
    if set[row[1]] then loss.pending = loss.pending + 1 end
    if unread or set[row[1]] then
      loss.from = loss.from or seqOf(row)
      loss.to = seqOf(row)
    end
  end
  return loss
end

-- trim removes what exceeds the limit, but nothing from the id bound on when
-- there is one, and tells exactly what groups lost and how many entries went.
--
-- First whole nodes go that nobody needs, unseen. What is left is less than one
-- node, unless a group lags into the region: only then are many entries read to
-- be counted, and then no more than a script may hold; a backlog beyond that
-- goes with the next batches.
local function trim(stream, limit, honours, bound)
  local excess = redis.call('XLEN', stream) - limit
  if excess <= 0 then return {}, 0 end
  local cut = {rows = {}, lastSeq = ''}
  cut.from, cut.fromSeq = edge(stream)
  local groups = groupsNow(stream, cut.from)
  if #groups == 0 and not bound then
    return {}, redis.call('XTRIM', stream, 'MAXLEN', '~', limit)
  end
  local low, blind = bound, 0
  for _, g in ipairs(groups) do
    -- A group that stands before the first entry loses whatever goes; the
    -- others lose nothing as long as only entries below the lowest go.
    g.lostAll = before(g.last, cut.from)
    if g.lostAll then
      blind = 1 -- one entry is kept for reading: the last that is lost
    elseif not low or before(g.need, low) then
      low = g.need
    end
  end
  local bulk = 0
  if low and honours and excess > blind then
    if bound and blind == 1 then
      local rows = redis.call('XREVRANGE', stream, bound, '-', 'COUNT', 2)
      local last = rows[1] and rows[1][1] == bound and rows[2] or rows[1]
      cut.lastSeq = seqOf(last)
    end
    bulk = redis.call('XTRIM', stream, 'MINID', '~', low, 'LIMIT', excess - blind)
  elseif not low then
    bulk = redis.call('XTRIM', stream, 'MAXLEN', '~', limit + blind)
  end
  if excess > bulk then
    cut.rows = below(stream, bound, math.min(excess - bulk, READ))
  end
  if #cut.rows > 0 then
    redis.call('XTRIM', stream, 'MAXLEN', redis.call('XLEN', stream) - #cut.rows)
    cut.lastSeq = seqOf(cut.rows[#cut.rows])
  end
  cut.total = bulk + #cut.rows
  local losses = {}
  if cut.total > 0 then
    cut.to, cut.kept = edge(stream)
    cut.to = cut.to or LAST
    for _, g in ipairs(groups) do
      local loss = lossOf(stream, g, cut)
      loss.kept = cut.kept
      if loss.unread > 0 or loss.pending > 0 then losses[#losses + 1] = loss end
    end
  end
  return losses, cut.total
end

-- idleOf is the shortest time in ms since a consumer of the group last asked;
-- nil when it has no consumer, or the server does not tell.
local function idleOf(stream, name)
  local rows = redis.pcall('XINFO', 'CONSUMERS', stream, name)
  if failed(rows) then return nil end
  local least = nil
  for _, fields in ipairs(rows) do
    local idle = tonumber(field(fields, 'idle')) or -1
    if idle >= 0 and (not least or idle < least) then least = idle end
  end
  return least
end

-- rowsOf flattens losses for a reply.
local function rowsOf(losses)
  local rows = {}
  for _, loss in ipairs(losses or {}) do
    for _, value in ipairs({loss.name, loss.unread, loss.pending, loss.from or '', loss.to or ''}) do
      rows[#rows + 1] = value
    end
  end
  return rows
end

-- heldOf flattens the groups that hold the stream for a reply.
local function heldOf(held)
  local rows = {}
  for _, g in ipairs(held) do
    for _, value in ipairs({g.name, g.behind, g.pending, g.idle and tostring(g.idle) or '', g.need}) do
      rows[#rows + 1] = value
    end
  end
  return rows
end

-- holders are the groups whose unfinished entries must stay, and the lowest id
-- among those entries. A group lapses when no consumer of it has asked for the
-- policy's timeout. One without consumers has no clock of its own: the writer
-- keeps it, and says in lapsed when it ran out.
local function holders(stream, groups, policy)
  local list, bound = {}, nil
  for _, g in ipairs(groups) do
    g.idle = idleOf(stream, g.name)
    local lapsed = policy.lapsed[g.name]
    if g.idle then lapsed = policy.timeout > 0 and g.idle > policy.timeout end
    if not lapsed then
      list[#list + 1] = g
      if not bound or before(g.need, bound) then bound = g.need end
    end
  end
  return list, bound
end

-- needed is the lowest id that any group needs.
local function needed(groups)
  local low = nil
  for _, g in ipairs(groups) do
    if not low or before(g.need, low) then low = g.need end
  end
  return low
end

-- finished reports whether at least count entries are known to lie below an id.
local function finished(stream, id, count)
  return count < READ and #below(stream, id, count + 1) >= count
end

-- roomFor reports whether events may be appended without the stream growing
-- beyond its limit over what readers still need. Otherwise it gives the groups
-- that hold it, or nil when it could trim, so that asking again is worth it.
-- Losses are those of groups that hold it no more.
local function roomFor(stream, limit, honours, policy)
  local length = redis.call('XLEN', stream)
  local excess = length - limit
  if excess <= 0 or not policy.block then return true end
  local groups, trouble = groupsNow(stream, (edge(stream)))
  if trouble and not string.find(trouble, 'no such key', 1, true) then error(trouble) end
  local low = needed(groups)
  if not low or finished(stream, low, excess) then return true end
  local list, bound = holders(stream, groups, policy)
  if not bound or finished(stream, bound, excess) then return true end
  local losses, removed = trim(stream, limit, honours, bound)
  if removed > 0 then return false, nil, losses end
  local held = {}
  for _, g in ipairs(list) do
    g.behind = length - #below(stream, g.need, READ)
    if g.behind > limit then held[#held + 1] = g end
  end
  return false, held, losses
end

-- trimKeeping trims after appending. In block mode it first tries to leave what
-- anybody needs, and asks who has lapsed only if that is not enough.
local function trimKeeping(stream, limit, honours, policy)
  if not policy.block then return (trim(stream, limit, honours)) end
  local first = edge(stream)
  if not first or redis.call('XLEN', stream) <= limit then return {} end
  local groups, trouble = groupsNow(stream, first)
  if trouble then error(trouble) end
  trim(stream, limit, honours, needed(groups))
  if redis.call('XLEN', stream) <= limit then return {} end
  local _, bound = holders(stream, groups, policy)
  return (trim(stream, limit, honours, bound))
end

-- The ledger keeps about this many lines.
local LINES = 1000

-- grown is the newest line of a group and its id, if what was lost now may be
-- added to it: within ten minutes where it goes on exactly where that ended,
-- within one otherwise, so that a slow reader does not fill the ledger.
local function grown(ledger, loss, fromSeq, now)
  local rows = redis.pcall('XREVRANGE', ledger, '+', '-', 'COUNT', 32)
  if failed(rows) then return nil end
  for _, row in ipairs(rows) do
    if field(row[2], 'group') == loss.name then
      local age = now - (tonumber(field(row[2], 'since')) or 0)
      local goesOn = field(row[2], 'kept') == loss.from
      if age < 60000 or goesOn and age < 600000 then return row end
      return nil
    end
  end
  return nil
end

-- note writes losses into the ledger, a stream, and gives what failed. A line
-- that grows is written anew and its former self removed.
local function note(ledger, losses, now, policy)
  local trouble = nil
  for _, loss in ipairs(losses) do
    local unread, pending, from, since = loss.unread, loss.pending, loss.from, now
    local old = policy.merge and grown(ledger, loss, from, now)
    if old and not failed(redis.pcall('XDEL', ledger, old[1])) then
      unread = unread + tonumber(field(old[2], 'unread'))
      pending = pending + tonumber(field(old[2], 'pending'))
      from, since = field(old[2], 'from'), field(old[2], 'since')
    end
    local id = redis.pcall('XADD', ledger, 'MAXLEN', '~', LINES, '*', 'group', loss.name,
      'unread', string.format('%.0f', unread), 'pending', string.format('%.0f', pending),
      'from', from or '', 'to', loss.to or '', 'kept', loss.kept or '', 'since', since)
    trouble = failed(id) or trouble
  end
  return trouble
end

-- timeOf is the server's time in ms, from the newest entry's id: the accounts
-- made for fhctl may not run TIME.
local function timeOf(stream)
  local id = edge(stream, 'XREVRANGE')
  return id and string.match(id, '^(%d+)') or '0'
end

-- tight are the groups of which readers' needs are not well below the limit, so
-- that who waited for room does not stop again at once; nil when there are none.
-- How far they are behind is estimated from seqs.
local function tight(stream, limit, policy)
  local first, from = edge(stream)
  if not first then return nil end
  local list, bound = holders(stream, (groupsNow(stream, first)), policy)
  local row = bound and redis.call('XRANGE', stream, bound, '+', 'COUNT', 1)[1]
  local _, last = edge(stream, 'XREVRANGE')
  local a, b, c = tonumber(from), tonumber(seqOf(row)), tonumber(last)
  if not a or not b or not c or c <= a then return nil end
  local behind = math.floor((c - b) / (c - a) * redis.call('XLEN', stream))
  if behind <= 0.9 * limit then return nil end
  local held = {}
  for _, g in ipairs(list) do
    g.behind = behind
    if g.need == bound then held[#held + 1] = g end
  end
  return held
end

-- policyOf reads the policy: block, timeout in ms, lapsed, merge.
local function policyOf(text)
  local policy = cjson.decode(text)
  local lapsed = {}
  for _, name in ipairs(policy.lapsed or {}) do lapsed[name] = true end
  policy.lapsed = lapsed
  policy.timeout = tonumber(policy.timeout) or 0
  return policy
end
