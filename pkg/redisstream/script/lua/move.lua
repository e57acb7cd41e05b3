-- move: an operator's change of the cursor, by compare-and-set. What was there
-- before goes into the history first, so that it can be had back.
--
-- KEYS 1 cursor  2 side key  3 history, a stream  4 the stream of events, all in
--      one slot
-- ARGV 1 "1" = the operator saw a cursor, which held 2, beside epoch 3
--      4 "1" = the cursor becomes 5; else it is removed: the next start is live
--      6 the new side key without its epoch
--      7 how many changes the history keeps
--      13 "1" = no side key is left beside the cursor, as where the Python bridge
--         left it: nobody who runs would notice that
--      12 the epoch rises above this one at least, "" = above its own only
--      8 relay  9 what was asked for  10 by whom  11 the change undone, or ""
-- Reply: status, cursor, epoch, id of the change.

local cursor = redis.pcall('GET', KEYS[1])
if failed(cursor) then return cursor end
local before = redis.pcall('GET', KEYS[2])
if failed(before) then return before end
local epoch = epochOf(sideOf(KEYS[2]))
if (cursor and '1' or '0') ~= ARGV[1] or (cursor or '') ~= ARGV[2] or epoch ~= ARGV[3] then
  return {'CONFLICT', cursor or '', epoch, ''}
end

-- Epochs never repeat, not even across a removal of the side key.
local newest = redis.pcall('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
if failed(newest) then return newest end
for _, row in ipairs(newest) do
  for i = 1, #row[2], 2 do
    local known = row[2][i] == 'epoch' and digits(row[2][i + 1])
    if known and above(known, epoch) then epoch = known end
  end
end
if digits(ARGV[12]) and above(digits(ARGV[12]), epoch) then epoch = digits(ARGV[12]) end
epoch = string.format('%.0f', tonumber(epoch) + 1)

-- Writing what is there proves the right to, before the history tells of it.
for i, value in ipairs({cursor, before}) do
  local proof = value and redis.pcall('SET', KEYS[i], value)
  if value and failed(proof) then return proof end
end

local after = ''
if ARGV[4] == '1' then after = ARGV[5] end
local id = redis.pcall('XADD', KEYS[3], 'MAXLEN', ARGV[7], '*',
  'before', cursor or '', 'side', before or '', 'after', after, 'epoch', epoch,
  'relay', ARGV[8], 'how', ARGV[9], 'by', ARGV[10], 'undoes', ARGV[11])
if failed(id) then return id end

if ARGV[4] ~= '1' then
  local err = remove(KEYS[1]) or remove(KEYS[2])
  if err then return err end
  return {'OK', '', epoch, id}
end
if ARGV[13] == '1' then
  -- In this order, what a failure leaves is a cursor beside the side key it had.
  local back = redis.pcall('SET', KEYS[1], ARGV[5])
  if failed(back) then return back end
  local err = remove(KEYS[2])
  if err then return err end
  return {'OK', ARGV[5], epoch, id}
end
-- The side key comes first: a cursor must never stand without one.
local set = redis.pcall('SET', KEYS[2], behindTail(ARGV[6], KEYS[4]) .. ',"epoch":' .. epoch .. '}')
if failed(set) then return set end
set = redis.pcall('SET', KEYS[1], ARGV[5])
if failed(set) then return set end
return {'OK', ARGV[5], epoch, id}
