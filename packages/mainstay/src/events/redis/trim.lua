-- Drops the oldest events that the retention does not keep, at most a chunk of them.
--
-- KEYS: log, state, ids
-- ARGV: now (unix ms), the most ms, events and bytes that are kept, the size of a chunk
-- Returns: how many were dropped; the size of the chunk when there may be more.

local log, state, ids = KEYS[1], KEYS[2], KEYS[3]
local oldest_time = tonumber(ARGV[1]) - tonumber(ARGV[2])
local head = tonumber(redis.call('HGET', state, 'head') or '0')
local bytes = tonumber(redis.call('HGET', state, 'bytes') or '0')
local keep_from = head - tonumber(ARGV[3]) + 1
local max_bytes = tonumber(ARGV[4])
local dropped, next_seq = 0, nil
for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', ARGV[5])) do
  local seq = tonumber(string.match(entry[1], '^(%d+)'))
  if seq >= keep_from and tonumber(field(entry, 'a')) >= oldest_time and bytes <= max_bytes then
    break
  end
  local id = field(entry, 'i')
  if redis.call('HGET', ids, id) == text(seq) then
    redis.call('HDEL', ids, id)
  end
  bytes = math.max(0, bytes - #field(entry, 'e'))
  dropped, next_seq = dropped + 1, seq + 1
end
if dropped > 0 then
  redis.call('XTRIM', log, 'MINID', text(next_seq) .. '-0')
  redis.call('HSET', state, 'bytes', text(bytes))
end
return dropped
