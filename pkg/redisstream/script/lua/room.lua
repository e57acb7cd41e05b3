-- room: asks whether the append script would reply FULL, for a writer that waits
-- for room. It appends nothing, but it trims what may go.
--
-- KEYS as append. ARGV 1 MAXLEN  2 "1" = XTRIM honours LIMIT  3 the policy
-- Reply: ROOM, FULL or TRIMMED, the stream's length, what went wrong, then rows
-- as append has them.

local stream, limit, policy = KEYS[1], tonumber(ARGV[1]), policyOf(ARGV[3])
local room, held, losses = roomFor(stream, limit, ARGV[2] == '1', policy)
if room then held = tight(stream, limit, policy) end
local status, rows, trouble = 'ROOM', {}, ''
if held then
  status, rows = 'FULL', heldOf(held)
elseif not room then
  status, rows = 'TRIMMED', rowsOf(losses)
  if KEYS[5] and #rows > 0 then trouble = note(KEYS[5], losses, timeOf(stream), policy) or '' end
end
local out = {status, redis.call('XLEN', stream), trouble}
for _, value in ipairs(rows) do out[#out + 1] = value end
return out
