-- Shared by every script: prepended to each of them.
--
-- Sequence numbers stay strings throughout. Lua's numbers are doubles, exact to
-- 2^53 only, and other servers' Lua may print large ones in exponent form.

-- above compares decimal strings without leading zeros: length, then bytes.
local function above(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end

-- failed gives the message of a pcall that failed, nil otherwise.
local function failed(reply)
  if type(reply) == 'table' and reply.err then return tostring(reply.err) end
  return nil
end

-- digits gives a cursor without leading zeros, nil when it is not a number
-- that a relay can have sent (below 2^53).
local function digits(text)
  if type(text) ~= 'string' or not string.match(text, '^%d+$') then return nil end
  text = string.gsub(text, '^0+', '')
  if text == '' then text = '0' end
  if above(text, '9007199254740991') then return nil end
  return text
end

-- sideOf reads the side key: nil when absent; else a table, or a string that
-- says why it is unusable.
local function sideOf(key)
  local raw = redis.pcall('GET', key)
  local err = failed(raw)
  if err then return err end
  if not raw then return nil end
  local ok, side = pcall(cjson.decode, raw)
  if not ok or type(side) ~= 'table' then return 'the side key is not a JSON object' end
  return side
end

-- epochOf is the side key's epoch as exact digits; "0" when there is none.
local function epochOf(side)
  if type(side) ~= 'table' then return '0' end
  return string.format('%.0f', tonumber(side.epoch) or 0)
end

-- numberIn is a whole number of the side key as exact digits, nil without one.
local function numberIn(side, name)
  local n = type(side) == 'table' and tonumber(side[name])
  if not n or n < 0 then return nil end
  return string.format('%.0f', n)
end

-- ownOf is where one of our kind left the cursor: a writer (upto) or an operator
-- with the tool made for it (set). Anybody can write the cursor's key, and so
-- others do; the side key is ours alone. Where it does not tell, as in those of
-- older versions, the key counts.
local function ownOf(side, cursor)
  return cursor and (numberIn(side, 'upto') or type(side) == 'table' and digits(side.set) or cursor)
end

-- idIn is an entry's id as it stands in the side key, "" when it is none.
local function idIn(text)
  return type(text) == 'string' and string.match(text, '^%d+%-%d+$') or ''
end

-- behindTail tells, in a side key that begins an epoch, that other writers' entries
-- can only come behind what the stream holds now. One that tells of them is left.
local function behindTail(side, stream)
  if string.find(side, '"othersFrom":', 1, true) then return side end
  local rows = redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  local id = not failed(rows) and rows[1] and rows[1][1] or '0-0'
  return side .. ',"othersFrom":"' .. id .. '"'
end

-- mismatch tells how the side key disagrees with what the writer is, nil when
-- it does not. An absent side key beside a cursor was left by the Python
-- bridge, which always read one host: only that host may adopt it.
local function mismatch(side, cursor, me)
  if side == nil then
    if cursor and me.adopt ~= '1' then return 'absent' end
    return nil
  end
  if type(side) == 'string' then return side end
  if tostring(side.relay) ~= me.relay then return 'relay ' .. tostring(side.relay) end
  if tostring(side.filter or '') ~= me.filter then return 'filter ' .. tostring(side.filter or '') end
  local partitions = string.format('%.0f', tonumber(side.partitions) or 1)
  if partitions ~= me.partitions then return 'partitions ' .. partitions end
  return nil
end

-- remove works for a user without DEL as well: a key that expires at once.
local function remove(key)
  if not failed(redis.pcall('DEL', key)) then return nil end
  local gone = redis.pcall('SET', key, '', 'PX', 1)
  return failed(gone) and gone
end

-- What the lease holds: a writer's id and, behind '#', a number that rises with
-- each renewal. It tells a standby whether the leader lives, by a clock of the
-- standby's own: an expiry is as wrong as the server's clock.
local beat = 0

-- ledBy gives the lease of another writer that leads, or nil and the reply that
-- failed; nil alone when the lease is free, ours, or no concern of ours. It is
-- free as well when it is, to the letter, the one of the dead.
local function ledBy(key, me, dead)
  if me == '' then return nil end
  local lease = redis.pcall('GET', key)
  if failed(lease) then return nil, lease end
  if not lease or lease == '' then return nil end
  local id, n = string.match(lease, '^(.*)#(%d+)$')
  beat = tonumber(n) or 0
  if lease == dead or (id or lease) == me then return nil end
  return lease
end

-- lead takes the lease, or renews it, for some milliseconds. ledBy comes before.
local function lead(key, me, ms)
  if me == '' then return 'OK' end
  return redis.pcall('SET', key, me .. '#' .. string.format('%.0f', (beat + 1) % 1000000000), 'PX', ms)
end
