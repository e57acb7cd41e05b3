-- append: stores one batch, compare-and-append. The steps are those of the
-- project's reliability rules; the numbers below are theirs.
--
-- KEYS 1 stream  2 cursor  3 side key  4 lease, all in one slot
-- ARGV 1 expected cursor, "" = none: starting is create-only
--      2 "jump" = leave the expected cursor for `start`, as an operator asked
--      3 start: the cursor before the first event, used without a cursor or
--        with jump
--      4 watermark: the last seq the batch accounts for
--      5 MAXLEN, "0" = never trim
--      6 "1" = XTRIM honours LIMIT
--      7 relay  8 filter  9 partitions  10 "1" = may adopt an absent side key
--     11 epoch
--     12 the new side key: a JSON object without its epoch and closing brace
--     13 the writer's id in the lease, "" = takes no part  14 the lease's ms
--     15... seq, type, data of each event
--
-- Reply: status, cursor, epoch, appended, already present, stream length,
-- detail (of LED: who leads), then for each group that lost entries: name,
-- unread, pending.
-- A server error that comes before any append is returned as it is.

local stream, cursorKey, sideKey = KEYS[1], KEYS[2], KEYS[3]
local expected, jump = ARGV[1], ARGV[2] == 'jump'
local epoch, appended, present = '0', 0, 0

local function reply(status, cursor, detail, trims)
  local length = redis.pcall('XLEN', stream)
  if failed(length) then length = -1 end
  local out = {status, cursor or '', epoch, appended, present, length, detail or ''}
  for _, value in ipairs(trims or {}) do out[#out + 1] = value end
  return out
end

-- 1. Who are we, and where does the stream stand?
local cursor = redis.pcall('GET', cursorKey)
local err = failed(cursor)
if err then
  if string.find(err, 'WRONGTYPE', 1, true) then return reply('BADCURSOR', '', 'the key is not a string') end
  return cursor
end
if cursor then
  -- Only digits may leave this script as a position to resume from.
  local number = digits(cursor)
  if not number then return reply('BADCURSOR', '', cursor) end
  cursor = number
end
local side = sideOf(sideKey)
local why = mismatch(side, cursor, {relay = ARGV[7], filter = ARGV[8], partitions = ARGV[9], adopt = ARGV[10]})
if why then return reply('MISMATCH', cursor or '', why) end
epoch = epochOf(side)
-- While another leads, all else is its to find and to mend.
local leader, unread = ledBy(KEYS[4], ARGV[13])
if unread then return unread end
if leader then return reply('LED', cursor or '', leader) end

if cursor and expected == '' then return reply('CONFLICT', cursor, 'a cursor appeared') end
if not cursor and expected ~= '' then return reply('MISSING') end
if cursor and above(expected, cursor) then return reply('BEHIND', cursor) end
if cursor and epoch ~= ARGV[11] then return reply('CONFLICT', cursor, 'the epoch changed') end
if jump and cursor ~= expected then return reply('CONFLICT', cursor, 'the cursor moved') end
if jump then epoch = string.format('%.0f', tonumber(epoch) + 1) end

-- 2. Write the cursor before anything is appended. Rights, memory, replicas and
-- disk are proved while there is nothing to undo. The side key comes first: a
-- cursor must never stand without one.
local max = cursor
if jump or not max then max = ARGV[3] end
local proof = redis.pcall('SET', sideKey, ARGV[12] .. ',"epoch":' .. epoch .. '}')
if failed(proof) then return proof end
proof = redis.pcall('SET', cursorKey, max)
if failed(proof) then return proof end
proof = lead(KEYS[4], ARGV[13], ARGV[14])
if failed(proof) then return proof end

-- 3. Append what lies above a running maximum, so that repeats within the batch
-- are dropped as well. An unguarded XADD would end the script with entries in
-- the stream and a cursor that does not know of them.
local trouble = nil
for i = 15, #ARGV, 3 do
  local seq = ARGV[i]
  if above(seq, max) then
    local id = redis.pcall('XADD', stream, '*', 'type', ARGV[i + 1], 'data', ARGV[i + 2], 'seq', seq)
    trouble = failed(id)
    if trouble then break end
    max = seq
    appended = appended + 1
  else
    present = present + 1
  end
end

-- 4. The watermark covers what yields no entry, but never what failed.
if not trouble and above(ARGV[4], max) then max = ARGV[4] end
local saved = redis.pcall('SET', cursorKey, max)
if failed(saved) then return saved end
if trouble then return reply('PARTIAL', max, trouble) end

-- 5. Trim, last: a script that has written is no longer held to the memory
-- limit, so trimming first would switch that limit off.

-- before orders entry ids by their two numbers.
local function before(a, b)
  local am, as = string.match(a, '^(%d+)-?(%d*)$')
  local bm, bs = string.match(b, '^(%d+)-?(%d*)$')
  if am ~= bm then return above(bm, am) end
  if as == '' then as = '0' end
  if bs == '' then bs = '0' end
  return above(bs, as)
end

local function firstID()
  local rows = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)
  return rows[1] and rows[1][1]
end

-- groupsNow lists groups by name, last delivered id and pending count. XINFO's
-- lag is not used: it stays wrong after trimming in Redis 7.0.
local function groupsNow()
  local list = redis.pcall('XINFO', 'GROUPS', stream)
  if failed(list) then return {} end
  local groups = {}
  for _, fields in ipairs(list) do
    local g = {unread = 0, lostPending = 0}
    for i = 1, #fields, 2 do
      if fields[i] == 'name' then g.name = fields[i + 1] end
      if fields[i] == 'last-delivered-id' then g.last = fields[i + 1] end
      if fields[i] == 'pending' then g.pending = fields[i + 1] end
    end
    groups[#groups + 1] = g
  end
  return groups
end

-- countPending counts what a group had in hand among the entries removed:
-- those from the former first id up to, but not including, the present one.
local function countPending(g, from, to, removed)
  if g.pending == 0 then return end
  local rows = redis.pcall('XPENDING', stream, g.name, from, to, removed + 1)
  if failed(rows) then return end
  for _, row in ipairs(rows) do
    if row[1] ~= to then g.lostPending = g.lostPending + 1 end
  end
end

-- trim removes about what exceeds the limit and tells exactly what groups lost.
local function trim(limit)
  local excess = redis.call('XLEN', stream) - limit
  if excess <= 0 then return nil end
  local groups = groupsNow()
  if #groups == 0 then
    redis.call('XTRIM', stream, 'MAXLEN', '~', limit)
    return nil
  end
  local from, low = firstID(), nil
  for _, g in ipairs(groups) do
    -- A group that stands before the first entry loses whatever goes; the
    -- others lose nothing as long as only entries below the lowest go.
    g.lostAll = before(g.last, from)
    if not g.lostAll and (not low or before(g.last, low)) then low = g.last end
  end
  local safely = 0
  if low and ARGV[6] == '1' then
    safely = redis.call('XTRIM', stream, 'MINID', '~', low, 'LIMIT', excess)
  end
  -- What is left to remove is less than one node, unless a group lags into the
  -- region: only then are many entries read to be counted, and then no more
  -- than a script may hold. A backlog beyond that goes with the next batches.
  local rows, rest = {}, excess - safely
  if low and rest > 0 then
    rest = math.min(rest, 1000)
    rows = redis.call('XRANGE', stream, '-', '+', 'COUNT', rest)
    limit = redis.call('XLEN', stream) - rest
  end
  local removed = redis.call('XTRIM', stream, 'MAXLEN', '~', limit)
  local total = safely + removed
  if total == 0 then return nil end
  local to = firstID() or '18446744073709551615-18446744073709551615'
  local out = {}
  for _, g in ipairs(groups) do
    if g.lostAll then
      g.unread = total
    elseif before(g.last, to) then
      for i = 1, math.min(removed, #rows) do
        if before(g.last, rows[i][1]) then g.unread = g.unread + 1 end
      end
    end
    countPending(g, from, to, total)
    if g.unread > 0 or g.lostPending > 0 then
      out[#out + 1] = g.name
      out[#out + 1] = g.unread
      out[#out + 1] = g.lostPending
    end
  end
  return out
end

-- A stream that cannot be trimmed is still stored; the next batch tries again.
local trims, untrimmed = nil, ''
if tonumber(ARGV[5]) > 0 then
  local ok, lost = pcall(trim, tonumber(ARGV[5]))
  if ok then
    trims = lost
  else
    untrimmed = failed(lost) or tostring(lost)
  end
end
return reply('OK', max, untrimmed, trims)
