-- found: what a start meets, as it is at one moment: cursor, side key and newest
-- entry are read together, so that a writer at work cannot make them disagree.
--
-- KEYS as append. ARGV 1 the writer's id in the lease, "" = takes no part
-- Reply: cursor ("" = none), side key ("" = none), who else leads ("" = nobody),
--   the stream's length, id and seq of its newest entry ("" = none).

local cursor = redis.pcall('GET', KEYS[2])
if failed(cursor) then return cursor end
local side = redis.pcall('GET', KEYS[3])
if failed(side) then return side end
local leader, unread = ledBy(KEYS[4], ARGV[1])
if unread then return unread end
local length = redis.pcall('XLEN', KEYS[1])
if failed(length) then return length end
local rows = redis.pcall('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if failed(rows) then return rows end
local id, seq = '', ''
if rows[1] then
  id = rows[1][1]
  for i = 1, #rows[1][2], 2 do
    if rows[1][2][i] == 'seq' then seq = digits(rows[1][2][i + 1]) or '' end
  end
end
return {cursor or '', side or '', leader or '', tostring(length), id, seq}
