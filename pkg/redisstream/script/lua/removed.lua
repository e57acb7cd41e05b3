-- removed: tells how many entries a stream has lost since it was made. XINFO STREAM
-- would tell as much, with two entries that may be large.
--
-- KEYS 1 stream
-- Reply: its length, and how many entries were added that it no longer holds; -1 where
-- the server does not count them: before Redis 7.

local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if failed(info) then return info end
local length, added = 0, nil
for i = 1, #info, 2 do
  if info[i] == 'length' then length = info[i + 1] end
  if info[i] == 'entries-added' then added = info[i + 1] end
end
return {length, added and added - length or -1}
