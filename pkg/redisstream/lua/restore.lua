-- restore: the cursor vanished while a writer was running. It becomes the seq
-- of the newest entry or, without entries, the fallback; never "live".
--
-- A side key that vanished alone is written again, beside the cursor that the
-- writer knows to be its own.
--
-- KEYS as append. ARGV 1 fallback  2 epoch  3 the side key without its epoch
--   4 the writer's own cursor, "" = none is
-- Reply: status, cursor, epoch, "entry", "memory" or "side".

local cursor = redis.pcall('GET', KEYS[2])
if failed(cursor) then return cursor end
if cursor then
  if cursor == ARGV[4] and sideOf(KEYS[3]) == nil then
    local set = redis.pcall('SET', KEYS[3], behindTail(ARGV[3], KEYS[1]) .. ',"upto":' .. cursor .. ',"epoch":' .. ARGV[2] .. '}')
    if failed(set) then return set end
    return {'RESTORED', cursor, ARGV[2], 'side'}
  end
  local side = sideOf(KEYS[3])
  return {'PRESENT', ownOf(side, digits(cursor)) or '', epochOf(side), ''}
end
local source, to = 'memory', ARGV[1]
local rows = redis.pcall('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if failed(rows) then return rows end
if rows[1] then
  local fields = rows[1][2]
  for i = 1, #fields, 2 do
    if fields[i] == 'seq' and digits(fields[i + 1]) then
      source, to = 'entry', digits(fields[i + 1])
    end
  end
end
-- Where one of us left it counts more than an entry, which another writer may have
-- added; but not beside a stream that is gone as well.
local side = sideOf(KEYS[3])
if source == 'entry' and numberIn(side, 'stored') then to = ownOf(side, to) end
local set = redis.pcall('SET', KEYS[2], to)
if failed(set) then return set end
if side == nil or type(side) == 'table' and ownOf(side, to) ~= to then
  local epoch = side == nil and ARGV[2] or epochOf(side)
  -- upto tells that a writer left the cursor here, not somebody else.
  set = redis.pcall('SET', KEYS[3], behindTail(ARGV[3], KEYS[1]) .. ',"upto":' .. to .. ',"epoch":' .. epoch .. '}')
  if failed(set) then return set end
  return {'RESTORED', to, epoch, source}
end
return {'RESTORED', to, epochOf(side), source}
