-- restore: the cursor vanished. It becomes the seq of the newest entry or, without
-- entries, the floor: what not every group had acknowledged begins behind it. Never
-- "live".
--
-- A side key that vanished alone is written again, beside the cursor that the
-- writer knows to be its own.
--
-- KEYS as append. ARGV 1 where the writer left the cursor, "" = it has just started
--   2 epoch  3 the side key without its epoch
--   4 the writer's own cursor, "" = none is  5 the floor it knows, "" = none
-- Reply: status, cursor, epoch, and where the cursor comes from: "entry", "left" (the
--   side key), "floor", "lost" (no floor is known) or "side". NOTHING: there is nothing to take it from.

local cursor = redis.pcall('GET', KEYS[2])
if failed(cursor) then return cursor end
local side = sideOf(KEYS[3])

-- The lower of the two floors, for entries may have been read by a group since.
local floor = digits(ARGV[5])
local kept = numberIn(side, 'floor')
if kept and (not floor or above(floor, kept)) then floor = kept end

-- write leaves the side key that tells where the cursor was left, and nothing of
-- entries stored.
local function write(upto, epoch)
  local text = behindTail(ARGV[3], KEYS[1]) .. ',"upto":' .. upto
  if floor then text = text .. ',"floor":' .. floor end
  return redis.pcall('SET', KEYS[3], text .. ',"epoch":' .. epoch .. '}')
end

if cursor then
  if cursor == ARGV[4] and side == nil then
    local set = write(cursor, ARGV[2])
    if failed(set) then return set end
    return {'RESTORED', cursor, ARGV[2], 'side'}
  end
  return {'PRESENT', ownOf(side, digits(cursor)) or '', epochOf(side), ''}
end

local stored, left = numberIn(side, 'stored'), numberIn(side, 'upto')
if type(side) == 'table' and not left then left = digits(side.set) end
local source, to = 'lost', digits(ARGV[1]) or left
local rows = redis.pcall('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if failed(rows) then return rows end
local newest = nil
if rows[1] then
  local fields = rows[1][2]
  for i = 1, #fields, 2 do
    if fields[i] == 'seq' then newest = digits(fields[i + 1]) end
  end
end
if newest then
  source, to = 'entry', newest
  -- Where one of us left it counts more than an entry, which another writer may have
  -- added. A running writer knows better than a side key that tells of no entry.
  if left and (stored or ARGV[1] == '') then
    if left ~= newest then source = 'left' end
    to = left
  end
elseif floor then
  source = 'floor'
  if not to or above(to, floor) then to = floor end
end
if not to then return {'NOTHING', '', epochOf(side), ''} end
local set = redis.pcall('SET', KEYS[2], to)
if failed(set) then return set end
local epoch = ARGV[2]
if side ~= nil then epoch = epochOf(side) end
if to ~= left or side == nil then
  set = write(to, epoch)
  if failed(set) then return set end
end
return {'RESTORED', to, epoch, source}
