-- lease: asks to lead without storing anything; renews when already leading.
--
-- KEYS as append. ARGV 1 the writer's id  2 the lease's ms, "0" = give it back
--   3 relay  4 filter  5 partitions  6 "1" = may adopt an absent side key
--   7 the lease of a writer known to be dead, as it was read, or ""
-- Reply: status, cursor ("" = none), epoch, detail (of LED: who leads; of OK: what
--   the cursor's key holds, if somebody else wrote it).

local cursor = redis.pcall('GET', KEYS[2])
local err = failed(cursor)
if err then
  if string.find(err, 'WRONGTYPE', 1, true) then return {'BADCURSOR', '', '0', ''} end
  return cursor
end
if cursor and not digits(cursor) then return {'BADCURSOR', '', '0', cursor} end
cursor = cursor and digits(cursor)

local side = sideOf(KEYS[3])
local why = mismatch(side, cursor, {relay = ARGV[3], filter = ARGV[4], partitions = ARGV[5], adopt = ARGV[6]})
if why then return {'MISMATCH', cursor or '', '0', why} end
local epoch, found = epochOf(side), cursor
cursor = ownOf(side, cursor)

local leader, unread = ledBy(KEYS[4], ARGV[1], ARGV[7])
if unread then return unread end
if leader then return {'LED', cursor or '', epoch, leader} end

if ARGV[2] == '0' then
  err = remove(KEYS[4])
else
  local set = lead(KEYS[4], ARGV[1], ARGV[2])
  err = failed(set) and set
end
if err then return err end
return {'OK', cursor or '', epoch, found ~= cursor and found or ''}
