-- removed: tells what a stream has lost since it was made. XINFO STREAM would tell as
-- much, with two entries that may be large.
--
-- KEYS 1 stream
-- Reply: its length; how many entries were added that it no longer holds, -1 where the
-- server does not count them: before Redis 7; the highest id that was ever deleted,
-- which trimming does not count, '' where the server does not tell; the last id given.

local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if failed(info) then return info end
local told = {}
for i = 1, #info, 2 do told[info[i]] = info[i + 1] end
local length, added = told['length'] or 0, told['entries-added']
return {tostring(length), tostring(added and added - length or -1), told['max-deleted-entry-id'] or '', told['last-generated-id'] or ''}
