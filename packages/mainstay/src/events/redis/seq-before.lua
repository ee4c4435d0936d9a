-- The last place taken in before a time: times never go back along the log, so halving finds it.
--
-- KEYS: log, state
-- ARGV: unix ms
-- Returns: the seq as text, one less than the oldest when there is none.

local time = tonumber(ARGV[1])
local head = tonumber(redis.call('HGET', KEYS[2], 'head') or '0')
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local low = first and tonumber(string.match(first[1], '^(%d+)')) or head + 1
local high = head + 1
while low < high do
  local middle = math.floor((low + high) / 2)
  local entry = entry_at(KEYS[1], middle)
  if not entry or tonumber(field(entry, 'a')) < time then
    low = middle + 1
  else
    high = middle
  end
end
return text(low - 1)
