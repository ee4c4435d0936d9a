-- Stores a batch, each source id once.
--
-- KEYS: log, state, seen, ids
-- ARGV: new epoch, seen epoch, seen seq, seen id (see history.lua), now (unix ms), window ms, window events,
--       then for each event: text, source id, id, taken in at (unix ms)
-- Returns: epoch, then for each event its seq as text, or '' for a repeat.

local log, state, seen, ids = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch, head = open_history(log, state, ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[1])
local now, window_ms, window_events = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local last_at = tonumber(redis.call('HGET', state, 'at') or '0')
local bytes = tonumber(redis.call('HGET', state, 'bytes') or '0')
local before = redis.call('HGET', state, 'id') or ''
local reply = { epoch }

-- Commands with many members at once are much cheaper than one for each; Lua takes some thousand arguments.
local function flush(command, key, pairs_of)
  for first = 1, #pairs_of, 2000 do
    redis.call(command, key, unpack(pairs_of, first, math.min(first + 1999, #pairs_of)))
  end
end

redis.call('ZREMRANGEBYSCORE', seen, '-inf', '(' .. text(now - window_ms))
local new_seen, new_ids, in_batch = {}, {}, {}
for index = 8, #ARGV, 4 do
  local source_id = ARGV[index + 1]
  if in_batch[source_id] or redis.call('ZSCORE', seen, source_id) then
    reply[#reply + 1] = ''
  else
    in_batch[source_id] = true
    head = head + 1
    last_at = math.max(last_at, tonumber(ARGV[index + 3]))
    local seq = text(head)
    local id = ARGV[index + 2]
    redis.call('XADD', log, seq .. '-0', 'e', ARGV[index], 'i', id, 'a', text(last_at), 'p', epoch, 'b', before)
    new_seen[#new_seen + 1] = text(math.max(last_at, now))
    new_seen[#new_seen + 1] = source_id
    new_ids[#new_ids + 1] = id
    new_ids[#new_ids + 1] = seq
    before = id
    bytes = bytes + #ARGV[index]
    reply[#reply + 1] = seq
  end
end
flush('ZADD', seen, new_seen)
flush('HSET', ids, new_ids)
local surplus = redis.call('ZCARD', seen) - window_events
if surplus > 0 then
  redis.call('ZREMRANGEBYRANK', seen, 0, surplus - 1)
end
redis.call('HSET', state, 'head', text(head), 'at', text(last_at), 'bytes', text(bytes), 'id', before)
return reply
