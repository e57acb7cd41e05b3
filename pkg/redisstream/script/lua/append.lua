-- append: stores one batch, compare-and-append. The steps are those of the
-- project's reliability rules; the numbers below are theirs.
--
-- KEYS 1 stream  2 cursor  3 side key  4 lease  5 ledger of losses, if it may be
--      written; all in one slot
-- ARGV 1 expected cursor, "" = none: starting is create-only
--      2 "jump" = leave the expected cursor for `start`, as an operator asked;
--        "held" = the stream held entries when this writer last saw it
--      3 start: the cursor before the first event, used without a cursor or
--        with jump
--      4 watermark: the last seq the batch accounts for
--      5 MAXLEN, "0" = never trim
--      6 "1" = XTRIM honours LIMIT
--      7 relay  8 filter  9 partitions  10 "1" = may adopt an absent side key
--     11 epoch
--     12 the new side key: a JSON object without its epoch and closing brace
--     13 the writer's id in the lease, "" = takes no part  14 the lease's ms
--     15 what may be trimmed: see policyOf
--     16 "1" = the writer knows which entries of writers other than us lie above
--        the cursor, and has left out what they hold; see FOREIGN
--     17 with 16 the id behind which those entries begin, else ""
--     18... seq, type, data of each event
--
-- Reply: status, cursor, epoch, appended, already present, stream length,
-- detail (of LED: who leads), then five values for each group that lost entries: name, unread,
-- pending, first and last seq lost. After FULL these are groups that hold the
-- stream: name, entries since the oldest it has not finished, pending, ms since
-- it last asked or "" without consumers, and the id it needs. TRIMMED is FULL no
-- more, perhaps: something could go, so the same call is worth another try.
-- FOREIGN: somebody else wrote the cursor's key (detail: what it holds), or added
-- entries above the cursor. The cursor replied is always our own kind's.
-- A server error that comes before any append is returned as it is.

local stream, cursorKey, sideKey = KEYS[1], KEYS[2], KEYS[3]
local expected, jump = ARGV[1], ARGV[2] == 'jump'
local epoch, appended, present = '0', 0, 0
local policy, limit, honours = policyOf(ARGV[15]), tonumber(ARGV[5]), ARGV[6] == '1'
local aware = ARGV[16] == '1'
local FIRST = 18 -- of the events

local function reply(status, cursor, detail, rows)
  local length = redis.pcall('XLEN', stream)
  if failed(length) then length = -1 end
  local out = {status, cursor or '', epoch, appended, present, length, detail or ''}
  for _, value in ipairs(rows or {}) do out[#out + 1] = value end
  return out
end

-- lost writes losses into the ledger and gives them as the reply has them.
local function lost(losses)
  local rows, trouble = rowsOf(losses), nil
  if KEYS[5] and #rows > 0 then trouble = note(KEYS[5], losses, timeOf(stream), policy) end
  return rows, trouble and 'ledger: ' .. trouble or ''
end

-- consumed reports whether an empty stream is so because its consumers deleted what
-- every group had acknowledged: nothing is missing.
local function consumed(stream)
  local info, groups = redis.pcall('XINFO', 'STREAM', stream), redis.pcall('XINFO', 'GROUPS', stream)
  if failed(info) or failed(groups) or #groups == 0 then return false end
  local last = field(info, 'last-generated-id')
  if not last or last == '0-0' or field(info, 'max-deleted-entry-id') ~= last then return false end
  for _, fields in ipairs(groups) do
    if field(fields, 'pending') > 0 or before(field(fields, 'last-delivered-id'), last) then return false end
  end
  return true
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
-- From here on the cursor is where our kind left it, whatever its key holds.
local found = cursor
cursor = ownOf(side, cursor)
if aware and side == nil and cursor and above(cursor, expected) then
  cursor = expected -- adopting: behind that, what is stored is ours to know
end
-- While another leads, all else is its to find and to repair.
local leader, unread = ledBy(KEYS[4], ARGV[13])
if unread then return unread end
if leader then return reply('LED', cursor or '', leader) end

if cursor and expected == '' then return reply('CONFLICT', cursor, 'a cursor appeared') end
if not cursor and expected ~= '' then return reply('MISSING') end
if cursor and above(expected, cursor) then return reply('BEHIND', cursor) end
if cursor and epoch ~= ARGV[11] then return reply('CONFLICT', cursor, 'the epoch changed') end
if jump and cursor ~= expected then return reply('CONFLICT', cursor, 'the cursor moved') end
local beyond = numberIn(side, 'othersTo')
if cursor and not jump and not aware and (found ~= cursor or side == nil or beyond and above(beyond, cursor)) then
  return reply('FOREIGN', cursor, found)
end
-- The side key knows of an entry as well: a writer that has just gone back knows of none.
local known = numberIn(side, 'stored')
if known == '0' then known = nil end
if cursor and not jump and (known or ARGV[2] == 'held') and redis.pcall('XLEN', stream) == 0 and not consumed(stream) then
  return reply('EMPTIED', cursor)
end
if limit > 0 and #ARGV >= FIRST and (not cursor or above(ARGV[#ARGV - 2], cursor)) then
  local room, held, losses = roomFor(stream, limit, honours, policy)
  if not room and held then
    return reply('FULL', cursor, '', heldOf(held))
  elseif not room then
    local rows, trouble = lost(losses)
    return reply('TRIMMED', cursor, trouble, rows)
  end
end
if jump then epoch = string.format('%.0f', tonumber(epoch) + 1) end

-- 2. Write the cursor before anything is appended. Rights, memory, replicas and
-- disk are proved while there is nothing to undo. The side key comes first: a
-- cursor must never stand without one.
local max = cursor
if jump or not max then max = ARGV[3] end
-- Entries behind this id with seqs above the cursor are not ours. It is set when
-- an epoch begins: what lies before was stored under another cursor.
local from, newSide = ARGV[17], ARGV[12]
if from == '' and cursor and not jump and type(side) == 'table' then from = idIn(side.othersFrom) end
if from ~= '' then newSide = newSide .. ',"othersFrom":"' .. from .. '"' end
if known and not jump and not string.find(newSide, '"stored":', 1, true) then newSide = newSide .. ',"stored":' .. known end
newSide = behindTail(newSide, stream) .. ',"epoch":' .. epoch .. '}'
if side and above(max, ARGV[4]) then
  -- The cursor stays where a writer that is further on left it, and so does
  -- what that one noted of it.
  local kept = redis.pcall('GET', sideKey)
  if failed(kept) then return kept end
  newSide = kept
end
local proof = redis.pcall('SET', sideKey, newSide)
if failed(proof) then return proof end
proof = redis.pcall('SET', cursorKey, max)
if failed(proof) then return proof end
proof = lead(KEYS[4], ARGV[13], ARGV[14])
if failed(proof) then return proof end

-- 3. Append what lies above a running maximum, so that repeats within the batch
-- are dropped as well. An unguarded XADD would end the script with entries in
-- the stream and a cursor that does not know of them.
local trouble = nil
for i = FIRST, #ARGV, 3 do
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
if trouble then
  -- The side key, written before, told of more than there is now.
  newSide = string.gsub(newSide, '"upto":%d+', '"upto":' .. max, 1)
  newSide = string.gsub(newSide, '"stored":%d+', '"stored":' .. (appended > 0 and max or numberIn(side, 'stored') or '0'), 1)
  saved = redis.pcall('SET', sideKey, newSide)
  if failed(saved) then return saved end
  return reply('PARTIAL', max, trouble)
end

-- 5. Trim, last: a script that has written is no longer held to the memory
-- limit, so trimming first would switch that limit off. A stream that cannot be
-- trimmed is still stored; the next batch tries again.
local rows, untrimmed = nil, ''
if limit > 0 then
  local ok, losses = pcall(trimKeeping, stream, limit, honours, policy)
  if ok then
    rows, untrimmed = lost(losses)
  else
    untrimmed = failed(losses) or tostring(losses)
  end
end
return reply('OK', max, untrimmed, rows)
