-- scan: looks through entries for those that lie above a cursor. It reads them one
-- by one, so that no size of theirs is too much for it, and gives back little.
--
-- KEYS 1 stream
-- ARGV 1 XRANGE or XREVRANGE  2 where to begin  3 where to end, as those take them
--   4 how many entries at most  5 the cursor  6 a seq to look for, or ""
-- Reply: entries looked at, id of the first and of the last of them, "1" if 6 was
-- among them, then id, seq and DID ("" = unknown) of each entry above the cursor.

-- didOf is the account of an entry of any shape, "" when it tells none.
local function didOf(data)
  if type(data) ~= 'string' then return '' end
  local did = string.match(data, '^%s*{%s*"repo"%s*:%s*"([^"\\]*)"') or string.match(data, '^%s*{%s*"did"%s*:%s*"([^"\\]*)"')
  if not did and #data < 65536 then
    local ok, object = pcall(cjson.decode, data)
    if ok and type(object) == 'table' then
      did = type(object.repo) == 'string' and object.repo or type(object.did) == 'string' and object.did
    end
  end
  if not did or #did > 256 then return '' end
  return did
end

-- value is a named field of an entry.
local function value(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return nil
end

local out = {0, '', '', ''}
local at = ARGV[2]
while out[1] < tonumber(ARGV[4]) do
  local rows = redis.pcall(ARGV[1], KEYS[1], at, ARGV[3], 'COUNT', 1)
  if failed(rows) then return rows end
  local row = rows[1]
  if not row then break end
  if out[1] == 0 then out[2] = row[1] end
  out[1], out[3], at = out[1] + 1, row[1], '(' .. row[1]
  local seq = digits(value(row[2], 'seq'))
  if seq and seq == ARGV[6] then out[4] = '1' end
  if seq and above(seq, ARGV[5]) then
    out[#out + 1] = row[1]
    out[#out + 1] = seq
    out[#out + 1] = didOf(value(row[2], 'data'))
  end
end
return out
