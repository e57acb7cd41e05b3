-- rebase: moves the cursor by compare-and-set, as an operator asked or because
-- the entries below it vanished.
--
-- KEYS as append. ARGV 1 expected cursor  2 new cursor
--   3 relay  4 filter  5 partitions  6 "1" = may adopt an absent side key
--   7 epoch  8 the side key without its epoch
--   9 "kept" = the epoch stays: no operator asked, and each writer that this
--     concerns meets a cursor below its own
-- Reply: status, cursor, epoch, detail.

local raw = redis.pcall('GET', KEYS[2])
if failed(raw) then
  if string.find(failed(raw), 'WRONGTYPE', 1, true) then return {'BADCURSOR', '', '0', ''} end
  return raw
end
if not raw then return {'MISSING', '', '0', ''} end
local cursor = digits(raw)
if not cursor then return {'BADCURSOR', '', '0', raw} end
local side = sideOf(KEYS[3])
local why = mismatch(side, cursor, {relay = ARGV[3], filter = ARGV[4], partitions = ARGV[5], adopt = ARGV[6]})
if why then return {'MISMATCH', cursor, '0', why} end
local epoch = epochOf(side)
cursor = ownOf(side, cursor)
local after = ARGV[7]
if ARGV[9] ~= 'kept' then after = string.format('%.0f', tonumber(after) + 1) end
if cursor == ARGV[2] and epoch == after and ARGV[9] ~= 'kept' then
  return {'OK', cursor, epoch, 'an earlier try had moved it'}
end
if cursor ~= ARGV[1] or epoch ~= ARGV[7] then return {'CONFLICT', cursor, epoch, ''} end
local set = redis.pcall('SET', KEYS[2], ARGV[2])
if failed(set) then return set end
set = redis.pcall('SET', KEYS[3], behindTail(ARGV[8], KEYS[1]) .. ',"epoch":' .. after .. '}')
if failed(set) then return set end
return {'OK', ARGV[2], after, ''}
