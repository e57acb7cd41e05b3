-- refilter: the cursor's filters change, as an operator asked; the number stays,
-- wherever a writer with the former filters has brought it meanwhile.
--
-- KEYS as append. ARGV 1 relay  2 the former filter  3 partitions
--   4 "1" = may adopt an absent side key  5 epoch
--   6 the new side key without epoch, and without what is kept as it is: where the
--     cursor was left, what was stored, and where other writers' entries are
-- Reply: status, cursor, epoch, detail.

local cursor = redis.pcall('GET', KEYS[2])
if failed(cursor) then return cursor end
if not cursor or not digits(cursor) then return {'MISSING', '', '0', ''} end
cursor = digits(cursor)
local side = sideOf(KEYS[3])
local why = mismatch(side, cursor, {relay = ARGV[1], filter = ARGV[2], partitions = ARGV[3], adopt = ARGV[4]})
local epoch = epochOf(side)
cursor = ownOf(side, cursor)
if why or epoch ~= ARGV[5] then return {'CONFLICT', cursor, epoch, why or ''} end
local text, raw = ARGV[6], redis.call('GET', KEYS[3]) or ''
for _, name in ipairs({'stored', 'upto', 'othersTo', 'floor'}) do
  local exact = string.match(raw, '"' .. name .. '":(%d+)') -- a double would round it
  if exact then text = text .. ',"' .. name .. '":' .. exact end
end
local put = type(side) == 'table' and digits(side.set)
if put then text = text .. ',"set":"' .. put .. '"' end
local from = type(side) == 'table' and idIn(side.othersFrom) or ''
if from ~= '' then text = text .. ',"othersFrom":"' .. from .. '"' end
epoch = string.format('%.0f', tonumber(epoch) + 1)
local set = redis.pcall('SET', KEYS[3], text .. ',"epoch":' .. epoch .. '}')
if failed(set) then return set end
return {'OK', cursor, epoch, ''}
